//! The context of a command: global arguments, environment, settings and credentials.

use std::{str::FromStr, time::Duration};

use clap::Args;
use client::{
    Environment, Error, ProjectRules, Server, address, credentials::Credentials, identity, render::Format,
    settings,
};
use model::{token::Token, words::UnknownWord};

use crate::talk;

/// The arguments of every command.
#[derive(Debug, Args)]
pub(crate) struct GlobalArgs {
    /// Address of the server [default: that of the last login, else http://127.0.0.1:7700]
    #[arg(
        long,
        global = true,
        env = "TOOLHUB_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    url: Option<String>,
    /// Token for the server. Prefer the variable or `toolhub login`: other users can see arguments [default: that of the login]
    #[arg(
        long,
        global = true,
        env = "TOOLHUB_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        help_heading = "Global options"
    )]
    token: Option<String>,
    /// Print JSON on stdout and everything else on stderr
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
}

pub(crate) struct Context {
    pub(crate) environment: Environment,
    pub(crate) settings: settings::Settings,
    pub(crate) json: bool,
    url: Option<String>,
    token: Option<String>,
}

impl Context {
    pub(crate) fn load(global: GlobalArgs) -> Result<Context, Error> {
        let environment = Environment::of_process();
        let loaded = settings::load(&environment)?;
        for warning in &loaded.warnings {
            talk::warn(warning);
        }
        let GlobalArgs { url, token, json } = global;
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

    /// The address of the server, if an argument or the environment gives one.
    pub(crate) fn given_url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The address of the server.
    pub(crate) fn url(&self) -> Result<String, Error> {
        // The credentials file is not opened when it is not needed.
        if let Some(url) = self.url.as_deref().or(self.settings.url.as_deref()) {
            return address::normalize_url(url);
        }
        let credentials = self.credentials()?;
        address::normalize_url(&settings::url(&self.settings, &credentials))
    }

    /// The token of `--token` or `TOOLHUB_TOKEN`.
    pub(crate) fn given_token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The server, with the given token or the stored one.
    pub(crate) fn server(&self) -> Result<Server, Error> {
        let url = self.url()?;
        let token = match &self.token {
            Some(text) => Some(Token::parse(text).map_err(|error| Error::Unauthorized {
                url: url.clone(),
                code: String::new(),
                detail: format!("the given token is {error}"),
            })?),
            None => self.credentials()?.token(&url),
        };
        if token.is_some() && url.starts_with("http:") && !address::is_loopback(&url) {
            talk::warn(&format!(
                "{url} is not encrypted: the token can be read in transit"
            ));
        }
        Server::new(&url, token)
    }

    /// The server to upload to, which answers each request within a limit if the user chose one. A CI run without a
    /// token exchanges its identity for one.
    pub(crate) async fn uploading_server(&self, limit: Option<Duration>) -> Result<Server, Error> {
        identity::sign_in(self.server()?.within(limit), &self.environment).await
    }

    /// The project rules of the settings, narrowed to the patterns of `--project`.
    pub(crate) fn project_rules(&self, selected: &[String]) -> Result<ProjectRules, Error> {
        let mut rules = self.settings.projects.clone();
        rules.select(selected, &self.environment)?;
        Ok(rules)
    }

    /// The stored credentials; none without a home directory.
    pub(crate) fn credentials(&self) -> Result<Credentials, Error> {
        match Credentials::load(&self.environment) {
            Err(Error::NoHome) => Ok(Credentials::default()),
            other => other,
        }
    }

    /// The output format.
    pub(crate) fn format(&self, given: Option<&str>) -> Result<Format, Error> {
        if self.json {
            return Ok(Format::Json);
        }
        match given.or(self.settings.format.as_deref()) {
            Some(name) => name.parse(),
            None => Ok(Format::default()),
        }
    }
}
