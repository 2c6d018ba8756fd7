//! An answer of the server, read to its end.

use model::{Receipt, problem::Problem};
use reqwest::{StatusCode, header::HeaderMap};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer, with what it takes to say what went wrong when it is not the one that was expected.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body as text.
    pub(crate) text: String,
    asked: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Answer {
        let (client, request) = request.build_split();
        let request = request.expect("the test asks for something that can be asked");
        let asked = format!("{} {}", request.method(), request.url());
        let response = client
            .execute(request)
            .await
            .unwrap_or_else(|error| panic!("{asked}: {error:?}"));
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            text: response
                .text()
                .await
                .unwrap_or_else(|error| panic!("{asked}: {error:?}")),
            asked,
        }
    }

    /// The body of a 200.
    ///
    /// # Panics
    /// When it is another status or body.
    #[track_caller]
    pub(crate) fn ok<T: DeserializeOwned>(self) -> T {
        assert_eq!(self.status, StatusCode::OK, "{}: {}", self.asked, self.text);
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{}: {error} in {}", self.asked, self.text))
    }

    /// The body of a 200 as plain JSON, for what a type of ours would hide.
    ///
    /// # Panics
    /// When it is another status or body.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        self.ok()
    }

    /// A receipt, whose numbers add up.
    ///
    /// # Panics
    /// When it is no receipt, or they do not.
    #[track_caller]
    pub(crate) fn receipt(self) -> Receipt {
        let receipt: Receipt = self.ok();
        assert_eq!(receipt.accounted(), receipt.received, "{receipt:?}");
        receipt
    }

    /// The body of an error with this status: a problem that says so, and names the request.
    ///
    /// # Panics
    /// When it is another status or body.
    #[track_caller]
    pub(crate) fn problem(self, status: u16) -> Problem {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.asked, self.text);
        let media_type = self
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok());
        assert_eq!(media_type, Some(Problem::CONTENT_TYPE), "{}", self.asked);
        let problem: Problem = serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{}: {error} in {}", self.asked, self.text));
        assert_eq!(problem.status, status, "{}", self.asked);
        assert!(
            !problem.code.is_empty() && !problem.detail.is_empty(),
            "{problem:?}"
        );
        let named = self
            .headers
            .get("x-request-id")
            .and_then(|value| value.to_str().ok());
        assert_eq!(named, Some(problem.request_id.as_str()), "{}", self.asked);
        problem
    }
}
