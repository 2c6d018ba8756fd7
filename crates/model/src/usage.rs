//! What the responses of a model used: the body of `PUT /v1/usage`.
//!
//! A response counts once per member, by the agent's own id of it, whether it calls a tool or not. It is usage of a
//! session and not an event.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{limits, text};

/// The first second of the year 2000.
const YEAR_2000: i64 = 946_684_800;

/// The responses of one request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// The responses: at most 5,000.
    pub responses: Vec<Response>,
}

/// What one response of a model used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Response {
    /// The agent program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The agent's own id of the request or of the response: 1 to 128 bytes.
    pub response_id: String,
    /// The agent's id of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The project in which the session ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The model, by the name that the agent uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When the response began.
    pub occurred_at: DateTime<Utc>,
    /// Input tokens that were neither read from nor written to a cache.
    #[serde(default)]
    pub input_tokens: i64,
    /// Output tokens.
    #[serde(default)]
    pub output_tokens: i64,
    /// Input tokens read from a cache.
    #[serde(default)]
    pub cache_read_tokens: i64,
    /// Input tokens written to a cache.
    #[serde(default)]
    pub cache_write_tokens: i64,
    /// What it cost, in millionths of a USD. Absent where its model has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<i64>,
}

impl Response {
    /// Cleans the names, and cuts them to the limits of a name.
    ///
    /// # Errors
    /// A message that says why the response cannot be stored.
    pub fn check(&mut self, now: DateTime<Utc>) -> Result<(), &'static str> {
        crate::wire::event::check_uuid(&self.response_id)?;
        let tokens = [
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
        ];
        if tokens
            .iter()
            .any(|tokens| !(0..=limits::RESPONSE_TOKENS).contains(tokens))
        {
            return Err("a count of tokens is 0 to 2,000,000,000");
        }
        let cost = self.cost_micro_usd.unwrap_or_default();
        if !(0..=crate::MicroUsd::MAX_PER_EVENT.0).contains(&cost) {
            return Err("`cost_micro_usd` is 0 to 1,000,000,000,000");
        }
        if self.occurred_at.timestamp() < YEAR_2000 {
            return Err("`occurred_at` is before the year 2000");
        }
        if self.occurred_at > now + chrono::TimeDelta::hours(limits::FUTURE_HOURS) {
            return Err("`occurred_at` lies in the future; check the clock of the machine");
        }
        for name in [
            &mut self.agent,
            &mut self.session_id,
            &mut self.project,
            &mut self.model,
        ] {
            if let Some(value) = name {
                let end = value.char_indices().nth(limits::NAME_CHARS);
                let cut = end.map_or(&**value, |(at, _)| &value[..at]);
                *name = Some(text::clean(cut).into_owned()).filter(|name| !name.is_empty());
            }
        }
        Ok(())
    }

    /// The key of the response in an org: a hash of the agent and its id of the response.
    pub fn key(&self) -> [u8; 16] {
        let agent = self.agent.as_deref().unwrap_or_default();
        let mut hash = Sha256::new();
        hash.update(agent.as_bytes());
        hash.update([0]);
        hash.update(self.response_id.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        key
    }
}

/// What is stored of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The earliest time at which it was reported.
    pub occurred_at: DateTime<Utc>,
    /// The session that reported it.
    pub session_id: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Tokens: input, output, read from a cache, written to a cache.
    pub tokens: [i64; 4],
    /// The cost, in millionths of a USD.
    pub cost_micro_usd: Option<i64>,
    /// The cost is the vendor's own figure, from telemetry.
    pub is_vendor_cost: bool,
}

impl Spent {
    /// What a report says. `is_vendor_cost`: its cost is the vendor's own figure.
    pub fn of(response: &Response, is_vendor_cost: bool) -> Spent {
        Spent {
            occurred_at: response.occurred_at,
            session_id: response.session_id.clone(),
            project: response.project.clone(),
            model: response.model.clone(),
            tokens: [
                response.input_tokens,
                response.output_tokens,
                response.cache_read_tokens,
                response.cache_write_tokens,
            ],
            cost_micro_usd: response.cost_micro_usd,
            is_vendor_cost: is_vendor_cost && response.cost_micro_usd.is_some(),
        }
    }

    /// Merges another report of the same response: counts only rise, the vendor's own cost takes the place of one that
    /// was computed, and of two names the first in the alphabet stands. The order of the reports does not matter.
    pub fn merge(&mut self, other: &Spent) {
        self.occurred_at = self.occurred_at.min(other.occurred_at);
        for (own, other) in [
            (&mut self.session_id, &other.session_id),
            (&mut self.project, &other.project),
            (&mut self.model, &other.model),
        ] {
            let replaces = match (&*own, other) {
                (Some(own), Some(other)) => other < own,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            if replaces {
                own.clone_from(other);
            }
        }
        for (own, other) in self.tokens.iter_mut().zip(other.tokens) {
            *own = (*own).max(other);
        }
        let figure = |spent: &Spent| (spent.is_vendor_cost, spent.cost_micro_usd);
        if figure(other) > figure(self) {
            (self.is_vendor_cost, self.cost_micro_usd) = figure(other);
        }
    }
}

/// The answer to `PUT /v1/usage`: `inserted + upgraded + duplicate + rejected = received`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageReceipt {
    /// Responses in the request.
    pub received: u64,
    /// Responses that were new.
    pub inserted: u64,
    /// Known responses of which more is known now.
    pub upgraded: u64,
    /// Responses that were stored already, or that are in the request twice.
    pub duplicate: u64,
    /// Responses that were not stored.
    pub rejected: u64,
    /// Of those that were new, those that another member of the org had uploaded before: the org counts them once.
    pub already_counted: u64,
    /// Why the first of the rejected responses was not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<String>,
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn response(id: &str) -> Response {
        Response {
            agent: Some("claude-code".into()),
            response_id: id.into(),
            session_id: Some("s".into()),
            project: None,
            model: Some("claude-opus-4-8".into()),
            occurred_at: DateTime::from_timestamp(1_793_491_200, 0).unwrap(),
            input_tokens: 1,
            output_tokens: 2,
            cache_read_tokens: 3,
            cache_write_tokens: 4,
            cost_micro_usd: Some(5),
        }
    }

    #[test]
    fn reports_of_a_response_merge_to_the_same_in_any_order() {
        let mut log = response("r");
        log.project = Some("api".into());
        let mut grown = log.clone();
        (grown.output_tokens, grown.cost_micro_usd) = (20, Some(50));
        let mut copy = log.clone();
        copy.session_id = Some("fork".into());
        copy.occurred_at += TimeDelta::seconds(3);
        let mut telemetry = response("r");
        (telemetry.session_id, telemetry.cost_micro_usd) = (None, Some(7));
        let reports = [
            Spent::of(&log, false),
            Spent::of(&grown, false),
            Spent::of(&copy, false),
            Spent::of(&telemetry, true),
        ];
        let mut merged = Vec::new();
        for first in 0..4 {
            for second in 0..4 {
                for third in 0..4 {
                    for last in 0..4 {
                        let order = [first, second, third, last];
                        if (0..4).all(|at| order.contains(&at)) {
                            let mut spent = reports[first].clone();
                            for at in order {
                                spent.merge(&reports[at]);
                            }
                            merged.push(spent);
                        }
                    }
                }
            }
        }
        assert_eq!(merged.len(), 24);
        assert!(merged.iter().all(|spent| *spent == merged[0]), "{merged:?}");
        assert_eq!(merged[0].cost_micro_usd, Some(7), "the vendor's own figure");
        assert_eq!(merged[0].tokens, [1, 20, 3, 4]);
        assert_eq!(merged[0].session_id.as_deref(), Some("fork"));
        assert_eq!(merged[0].occurred_at, log.occurred_at);
    }

    #[test]
    fn the_key_is_of_the_agent_and_its_id() {
        let mut other = response("r");
        assert_eq!(response("r").key(), other.key());
        other.agent = Some("codex".into());
        assert_ne!(response("r").key(), other.key());
        assert_ne!(response("r").key(), response("q").key());
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        let now = response("r").occurred_at;
        let bad: [fn(&mut Response); 7] = [
            |response| response.response_id.clear(),
            |response| response.response_id = "x".repeat(129),
            |response| response.input_tokens = -1,
            |response| response.cache_read_tokens = limits::RESPONSE_TOKENS + 1,
            |response| response.cost_micro_usd = Some(i64::MAX),
            |response| response.occurred_at += TimeDelta::days(2),
            |response| response.occurred_at = DateTime::UNIX_EPOCH,
        ];
        for change in bad {
            let mut response = response("r");
            change(&mut response);
            assert!(response.check(now).is_err(), "{response:?}");
        }
        let mut odd = response("r");
        odd.model = Some("a\0b".repeat(200));
        odd.check(now).unwrap();
        let model = odd.model.unwrap();
        assert!(!model.contains('\0') && model.chars().count() <= limits::NAME_CHARS);
    }
}
