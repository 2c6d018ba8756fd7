//! Qwen Code: the event `qwen-code.tool_call`, of the form of Gemini CLI's. No id of a call is documented; where a
//! version sends one, it is read.

use super::{
    Call, gemini,
    record::{Origin, Record},
};
use crate::Agent;

pub(super) fn call(record: &Record, origin: &Origin) -> Option<Call> {
    (record.event() == "qwen-code.tool_call").then(|| gemini::logged(record, origin, Agent::QwenCode))
}
