//! Findings about an event, before its position in the batch is known.

use std::borrow::Cow;

use crate::{EventNotice, NoticeCode};

/// Something wrong, or something that was changed, in an event.
pub(super) struct Finding {
    pub(super) code: NoticeCode,
    field: Option<Cow<'static, str>>,
    detail: Cow<'static, str>,
}

impl Finding {
    /// A finding about the event as a whole.
    pub(super) fn new(code: NoticeCode, detail: impl Into<Cow<'static, str>>) -> Finding {
        Finding {
            code,
            field: None,
            detail: detail.into(),
        }
    }

    /// A finding about one field.
    pub(super) fn at(
        field: impl Into<Cow<'static, str>>,
        code: NoticeCode,
        detail: impl Into<Cow<'static, str>>,
    ) -> Finding {
        Finding {
            field: Some(field.into()),
            ..Finding::new(code, detail)
        }
    }

    /// The notice about the event at this position of the body.
    pub(super) fn notice(self, index: usize, uuid: Option<String>) -> EventNotice {
        EventNotice {
            index,
            uuid,
            code: self.code,
            field: self.field.map(Cow::into_owned),
            detail: self.detail.into_owned(),
        }
    }
}
