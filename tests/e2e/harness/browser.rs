//! A browser as far as pages without scripts need one: a cookie, and the token of the forms.

use std::sync::{Mutex, PoisonError};

use reqwest::{Client, Method, RequestBuilder};

use super::{Answer, Caller, Hub};

/// A browser with the cookies of one server.
#[derive(Debug)]
pub(crate) struct Browser {
    url: String,
    http: Client,
    cookies: Mutex<Vec<(String, String)>>,
}

impl Browser {
    /// A browser that is not signed in.
    pub(crate) fn new(hub: &Hub) -> Browser {
        Browser {
            url: hub.url.clone(),
            http: Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("an HTTP client can be made"),
            cookies: Mutex::default(),
        }
    }

    /// A browser that the token of a caller has signed in.
    ///
    /// # Panics
    /// When the sign-in is refused.
    pub(crate) async fn signed_in(hub: &Hub, caller: &Caller) -> Browser {
        let browser = Browser::new(hub);
        let answer = browser.sign_in(&caller.token, "/").await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        browser
    }

    /// Sends the form of the sign-in.
    pub(crate) async fn sign_in(&self, token: &str, next: &str) -> Answer {
        let fields = [("token", token), ("next", next)];
        self.send(form(self.request(Method::POST, "/sign-in"), &fields))
            .await
    }

    /// A request with the cookies.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let cookies: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header("accept", "text/html");
        if cookies.is_empty() {
            request
        } else {
            request.header("cookie", cookies.join("; "))
        }
    }

    /// Sends a request, and keeps the cookies of the answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = Answer::of(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let text = cookie.to_str().expect("a cookie is ASCII");
            let (name, value) = text
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='))
                .expect("a cookie has a name");
            let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
            cookies.retain(|(other, _)| other != name);
            if !value.is_empty() {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// Reads a page.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// The token of the forms of this session.
    ///
    /// # Panics
    /// When the browser is not signed in.
    pub(crate) async fn form_token(&self) -> String {
        let page = self.get("/").await;
        let field = "name=\"form_token\" value=\"";
        let (_, rest) = page.text.split_once(field).expect("a page has a form");
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    /// Sends a form of a page.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.form_token().await;
        let mut all = vec![("form_token", token.as_str())];
        all.extend_from_slice(fields);
        self.send(form(self.request(Method::POST, path), &all)).await
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let found = cookies.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone())
    }
}

/// A request with the fields of a form.
pub(crate) fn form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = serde_urlencoded::to_string(fields).expect("fields are texts");
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}
