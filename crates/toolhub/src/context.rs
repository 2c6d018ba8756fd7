//! What every command starts from: the global arguments, the environment, the settings files, the credentials.

use std::str::FromStr;

use client::{
    Environment, Error, Server, address, credentials::Credentials, identity, render::Format, settings,
};
use model::{token::Token, words::UnknownWord};

use crate::{args::Global, talk};

pub(crate) struct Context {
    pub(crate) environment: Environment,
    pub(crate) settings: settings::Settings,
    pub(crate) json: bool,
    url: Option<String>,
    token: Option<String>,
}

impl Context {
    pub(crate) fn load(global: Global) -> Result<Context, Error> {
        let environment = Environment::of_process();
        let loaded = settings::load(&environment)?;
        for warning in &loaded.warnings {
            talk::warn(warning);
        }
        let Global { url, token, json } = global;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Context {
            environment,
            settings: loaded.settings,
            json,
            url: given(url),
            token: given(token),
        })
    }

    /// The value of an option: what is given, else what the settings say.
    ///
    /// # Errors
    /// When the setting is not one of the words that the option takes.
    pub(crate) fn option<T: FromStr<Err = UnknownWord>>(
        &self,
        given: Option<T>,
        name: &str,
        setting: Option<&String>,
    ) -> Result<Option<T>, Error> {
        match (given, setting) {
            (None, Some(word)) => word
                .parse()
                .map(Some)
                .map_err(|error: UnknownWord| Error::Usage(format!("the setting `{name}`: {error}"))),
            (given, _) => Ok(given),
        }
    }

    /// The address of the server.
    pub(crate) fn url(&self) -> Result<String, Error> {
        // The file of credentials is not even opened when it is not needed.
        if let Some(url) = self.url.as_deref().or(self.settings.url.as_deref()) {
            return address::normalize_url(url);
        }
        let credentials = self.credentials()?;
        address::normalize_url(&settings::url(None, &self.settings, &credentials))
    }

    /// The server, with the given token or else the one that was kept for it.
    pub(crate) fn server(&self) -> Result<Server, Error> {
        let url = self.url()?;
        let token = match &self.token {
            Some(text) => Some(Token::parse(text).map_err(|error| Error::Unauthorized {
                url: url.clone(),
                detail: format!("what was given is {error}"),
            })?),
            None => self.credentials()?.token(&url),
        };
        if token.is_some() && url.starts_with("http:") && !address::is_loopback(&url) {
            talk::warn(&format!(
                "{url} is not encrypted: others on the way can read the token"
            ));
        }
        Server::new(&url, token)
    }

    /// The server to upload to: where there is no token, a CI run exchanges its identity for one.
    pub(crate) async fn uploading_server(&self) -> Result<Server, Error> {
        let server = self.server()?;
        if server.token().is_ok() {
            return Ok(server);
        }
        Ok(identity::exchange(&server, &self.environment)
            .await?
            .unwrap_or(server))
    }

    /// The kept credentials; none where there is no home to keep them in.
    pub(crate) fn credentials(&self) -> Result<Credentials, Error> {
        match Credentials::load(&self.environment) {
            Err(Error::NoHome) => Ok(Credentials::default()),
            other => other,
        }
    }

    /// How answers are laid out.
    pub(crate) fn format(&self, given: Option<&str>) -> Result<Format, Error> {
        if self.json {
            return Ok(Format::Json);
        }
        match given.or(self.settings.format.as_deref()) {
            Some(word) => word
                .parse()
                .map_err(|error| Error::Usage(format!("`{word}`: {error}"))),
            None => Ok(Format::default()),
        }
    }
}
