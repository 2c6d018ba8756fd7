//! Whether the fields that stand in the JSON make an event.

use std::borrow::Cow;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::{Checked, Refusal, RejectionCode, Warning, read::Raw};
use crate::{Event, MicroUsd, Outcome, Reason, ToolId, Verdict, limits, text};

impl Raw<'_> {
    /// Checks the fields and takes what the event keeps. `now` is the server's clock.
    pub(super) fn check(&mut self, now: DateTime<Utc>) -> Result<Checked, Refusal> {
        let refuse = |code, field, detail: &str| {
            Err(Refusal {
                code,
                field: Some(field),
                uuid: None,
                detail: detail.to_owned(),
            })
        };
        if let Some(field) = self.repeated {
            return refuse(
                RejectionCode::DuplicateKey,
                field,
                "the key stands more than once",
            );
        }
        if let Some(uuid) = &self.uuid
            && let Err(detail) = check_uuid(uuid)
        {
            return refuse(RejectionCode::InvalidUuid, "uuid", detail);
        }
        for (field, missing) in [
            ("tool_id", self.tool_id.is_none()),
            ("outcome", self.outcome.is_none()),
            ("occurred_at", self.occurred_at.is_none()),
        ] {
            if missing {
                return refuse(RejectionCode::MissingField, field, "the field is required");
            }
        }
        let mut warnings: Vec<Warning> = Vec::new();
        let tool = match ToolId::parse(self.tool_id.as_deref().unwrap_or_default()) {
            Ok(tool) => tool,
            Err(error) => return refuse(RejectionCode::InvalidToolId, "tool_id", &error.to_string()),
        };
        if self.tool_id.as_deref() != Some(tool.as_str()) {
            warnings.push(replaced("tool_id"));
        }
        let Ok(outcome) = self.outcome.as_deref().unwrap_or_default().parse::<Outcome>() else {
            let detail = "the outcome is one of success, failure, abandoned, unknown";
            return refuse(RejectionCode::InvalidOutcome, "outcome", detail);
        };
        let reason = match self.reason.as_deref().map(str::parse::<Reason>).transpose() {
            Ok(reason) => reason,
            Err(_) => {
                let detail = "the reason is one of error, invalid_input, unknown_tool (failure), rejected, \
                              interrupted, cancelled, denied, unanswered (abandoned)";
                return refuse(RejectionCode::InvalidReason, "reason", detail);
            }
        };
        let Some(verdict) = Verdict::new(outcome, reason) else {
            let detail = format!(
                "`{}` does not explain `{outcome}`",
                reason.map_or("", Reason::as_str)
            );
            return refuse(RejectionCode::InvalidReason, "reason", &detail);
        };
        let duration_ms = match self.duration_ms.map(whole_ms) {
            Some(None) => {
                let detail = "a duration is 0 ms to one year";
                return refuse(RejectionCode::InvalidDuration, "duration_ms", detail);
            }
            other => other.flatten(),
        };
        let cost = match self.cost_usd.map(MicroUsd::from_usd) {
            Some(None) => {
                return refuse(
                    RejectionCode::InvalidCost,
                    "cost_usd",
                    "a cost is 0 to 1,000,000 USD",
                );
            }
            other => other.flatten(),
        };
        let occurred_at = match check_time(self.occurred_at.as_deref().unwrap_or_default(), now) {
            Ok(time) => time,
            Err((code, detail)) => return refuse(code, "occurred_at", &detail),
        };
        let mut event = Event::new(tool, verdict, occurred_at);
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
                return refuse(RejectionCode::NameTooLong, field, &detail);
            }
            let clean = text::clean(&value);
            if matches!(clean, Cow::Owned(_)) {
                warnings.push(replaced(field));
            }
            *slot = Some(clean.into_owned());
        }
        if let Some(task) = self.task_text.take().filter(|task| !task.is_empty()) {
            let cut = text::truncate_bytes(&task, limits::TASK_TEXT_BYTES);
            if cut.len() < task.len() {
                let detail = format!("cut to {} bytes", limits::TASK_TEXT_BYTES);
                warnings.push(Warning {
                    code: RejectionCode::TaskTextCut,
                    field: Some("task_text".into()),
                    detail,
                });
            }
            let clean = text::clean_prose(cut);
            if matches!(clean, Cow::Owned(_)) {
                warnings.push(replaced("task_text"));
            }
            event.task_text = Some(clean.into_owned());
        }
        for field in self.unknown.drain(..) {
            let detail = "v1 does not know this field; it was left out".into();
            warnings.push(Warning {
                code: RejectionCode::UnknownField,
                field: Some(field),
                detail,
            });
        }
        event.uuid = self.uuid.as_deref().map(str::to_owned);
        event.duration_ms = duration_ms;
        event.cost = cost;
        Ok(Checked { event, warnings })
    }
}

fn replaced(field: &str) -> Warning {
    let detail = "control characters were replaced by U+FFFD".into();
    Warning {
        code: RejectionCode::ControlCharactersReplaced,
        field: Some(field.to_owned()),
        detail,
    }
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
        return Err("a uuid holds no control characters");
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

fn check_time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, (RejectionCode, String)> {
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| {
            let detail = "a time is RFC 3339, for example 2026-11-23T09:30:00Z";
            (RejectionCode::InvalidTimestamp, detail.to_owned())
        })?
        .with_timezone(&Utc);
    if time.timestamp() < 946_684_800 {
        return Err((
            RejectionCode::TimestampOutOfRange,
            "an event lies after the year 2000".into(),
        ));
    }
    if time > now + TimeDelta::hours(limits::FUTURE_HOURS) {
        let detail = format!(
            "an event lies at most {} h ahead of the server's clock",
            limits::FUTURE_HOURS
        );
        return Err((RejectionCode::TimestampInFuture, detail));
    }
    // PostgreSQL keeps microseconds.
    Ok(time.trunc_subsecs(6))
}
