//! Checks whether the fields found in the JSON are a valid event.

use std::borrow::Cow;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::{finding::Finding, read::Raw};
use crate::{CallResult, Event, MicroUsd, NoticeCode, Outcome, Reason, ToolId, limits, text};

impl Raw<'_> {
    /// Checks the fields and builds the event. `now` is the server's clock.
    pub(super) fn check(&mut self, now: DateTime<Utc>) -> Result<(Event, Vec<Finding>), Finding> {
        self.check_keys()?;
        let mut warnings = Vec::new();
        let tool = self.tool(&mut warnings)?;
        let result = self.result()?;
        let duration_ms = self.duration()?;
        let cost = read_cost("cost_usd", self.cost_usd)?;
        let run_cost = read_cost("run_cost_usd", self.run_cost_usd)?;
        let occurred_at = check_time(self.occurred_at.as_deref().unwrap_or_default(), now)?;
        let mut event = Event::new(tool, result, occurred_at);
        event.duration_ms = duration_ms;
        event.cost = cost;
        event.run_cost = run_cost;
        self.take_names(&mut event, &mut warnings)?;
        event.task_text = self.take_task_text(&mut warnings);
        for field in self.unknown.drain(..) {
            let detail = "v1 does not know this field; it was left out";
            warnings.push(Finding::at(field, NoticeCode::UnknownField, detail));
        }
        event.uuid = self.uuid.as_deref().map(str::to_owned);
        Ok((event, warnings))
    }

    /// No key twice, a usable uuid, and every required field.
    fn check_keys(&self) -> Result<(), Finding> {
        if let Some(field) = self.repeated {
            return Err(Finding::at(field, NoticeCode::DuplicateKey, "duplicate key"));
        }
        if let Some(uuid) = &self.uuid {
            check_uuid(uuid).map_err(|detail| Finding::at("uuid", NoticeCode::InvalidUuid, detail))?;
        }
        for (field, value) in [
            ("tool_id", &self.tool_id),
            ("outcome", &self.outcome),
            ("occurred_at", &self.occurred_at),
        ] {
            if value.is_none() {
                let detail = "the field is required";
                return Err(Finding::at(field, NoticeCode::MissingField, detail));
            }
        }
        Ok(())
    }

    fn tool(&self, warnings: &mut Vec<Finding>) -> Result<ToolId, Finding> {
        let tool_id = self.tool_id.as_deref().unwrap_or_default();
        let tool = ToolId::parse(tool_id)
            .map_err(|error| Finding::at("tool_id", NoticeCode::InvalidToolId, error.to_string()))?;
        if tool.as_str() != tool_id {
            warnings.push(replaced("tool_id"));
        }
        Ok(tool)
    }

    fn result(&self) -> Result<CallResult, Finding> {
        let invalid_reason =
            |detail: Cow<'static, str>| Finding::at("reason", NoticeCode::InvalidReason, detail);
        let outcome: Outcome = self.outcome.as_deref().unwrap_or_default().parse().map_err(|_| {
            let detail = "the outcome is one of success, failure, abandoned, unknown";
            Finding::at("outcome", NoticeCode::InvalidOutcome, detail)
        })?;
        let reason: Option<Reason> = self.reason.as_deref().map(str::parse).transpose().map_err(|_| {
            invalid_reason(
                "the reason is one of error, invalid_input, unknown_tool (failure), rejected, interrupted, \
                 cancelled, denied, unanswered (abandoned)"
                    .into(),
            )
        })?;
        CallResult::new(outcome, reason).ok_or_else(|| {
            let reason = reason.map_or("", Reason::as_str);
            invalid_reason(format!("`{reason}` does not explain `{outcome}`").into())
        })
    }

    fn duration(&self) -> Result<Option<i64>, Finding> {
        let invalid = || {
            Finding::at(
                "duration_ms",
                NoticeCode::InvalidDuration,
                "a duration is 0 ms to one year",
            )
        };
        self.duration_ms
            .map(|ms| whole_ms(ms).ok_or_else(invalid))
            .transpose()
    }

    /// The texts with the limits of a name; an empty one is left out.
    fn take_names(&mut self, event: &mut Event, warnings: &mut Vec<Finding>) -> Result<(), Finding> {
        for (field, value, slot) in [
            ("operation", self.operation.take(), &mut event.operation),
            ("session_id", self.session_id.take(), &mut event.session),
            ("project", self.project.take(), &mut event.project),
            ("model", self.model.take(), &mut event.model),
            ("agent", self.agent.take(), &mut event.agent),
            (
                "agent_version",
                self.agent_version.take(),
                &mut event.agent_version,
            ),
            ("git_branch", self.git_branch.take(), &mut event.git_branch),
        ] {
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                continue;
            };
            if value.len() > limits::NAME_CHARS && value.chars().count() > limits::NAME_CHARS {
                let detail = format!("at most {} characters", limits::NAME_CHARS);
                return Err(Finding::at(field, NoticeCode::NameTooLong, detail));
            }
            let clean = text::clean(&value);
            if matches!(clean, Cow::Owned(_)) {
                warnings.push(replaced(field));
            }
            *slot = Some(clean.into_owned());
        }
        Ok(())
    }

    fn take_task_text(&mut self, warnings: &mut Vec<Finding>) -> Option<String> {
        let task = self.task_text.take().filter(|task| !task.is_empty())?;
        let cut = text::truncate_bytes(&task, limits::TASK_TEXT_BYTES);
        if cut.len() < task.len() {
            let detail = format!("cut to {} bytes", limits::TASK_TEXT_BYTES);
            warnings.push(Finding::at("task_text", NoticeCode::TaskTextCut, detail));
        }
        let clean = text::clean_prose(cut);
        if matches!(clean, Cow::Owned(_)) {
            warnings.push(replaced("task_text"));
        }
        Some(clean.into_owned())
    }
}

fn replaced(field: &'static str) -> Finding {
    let detail = "control characters were replaced by U+FFFD";
    Finding::at(field, NoticeCode::ControlCharactersReplaced, detail)
}

/// Checks the id of an event. A placeholder that a redactor left would make every call of a log the same call; the
/// error says, for people, what is wrong.
pub fn check_uuid(uuid: &str) -> Result<(), &'static str> {
    if uuid.trim().is_empty() {
        return Err("a uuid is not empty; leave the field out to get a fresh one");
    }
    if uuid.len() > limits::UUID_BYTES {
        return Err("a uuid has at most 128 bytes");
    }
    if !text::is_clean(uuid) {
        return Err("a uuid has no control characters");
    }
    if uuid == "REDACTED" || uuid.bytes().all(|b| matches!(b, b'0' | b'-')) {
        return Err("a placeholder is not a uuid: every call would be the same call");
    }
    Ok(())
}

fn whole_ms(ms: f64) -> Option<i64> {
    let whole = ms.round();
    #[expect(clippy::cast_precision_loss, reason = "a year of ms is far below 2^53")]
    if !(0.0..=limits::DURATION_MS as f64).contains(&whole) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked against the bound above")]
    Some(whole as i64)
}

/// The first second of the year 2000.
const YEAR_2000: i64 = 946_684_800;

fn read_cost(field: &'static str, usd: Option<f64>) -> Result<Option<MicroUsd>, Finding> {
    let invalid = || Finding::at(field, NoticeCode::InvalidCost, "a cost is 0 to 1,000,000 USD");
    usd.map(|usd| MicroUsd::from_usd(usd).ok_or_else(invalid))
        .transpose()
}

fn check_time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Finding> {
    let invalid = |code, detail: Cow<'static, str>| Finding::at("occurred_at", code, detail);
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| {
            let detail = "a time is RFC 3339, for example 2026-11-23T09:30:00Z";
            invalid(NoticeCode::InvalidTimestamp, detail.into())
        })?
        .with_timezone(&Utc);
    if time.timestamp() < YEAR_2000 {
        let detail = "an event is not before the year 2000";
        return Err(invalid(NoticeCode::TimestampOutOfRange, detail.into()));
    }
    if time > now + TimeDelta::hours(limits::FUTURE_HOURS) {
        let detail = format!(
            "an event is at most {} h ahead of the server's clock",
            limits::FUTURE_HOURS
        );
        return Err(invalid(NoticeCode::TimestampInFuture, detail.into()));
    }
    // PostgreSQL stores microseconds.
    Ok(time.trunc_subsecs(6))
}
