//! The database of a command: an external one, or an embedded PostgreSQL.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use embedded::{EmbeddedOptions, EmbeddedServer};
use store::{PoolOptions, Store};

/// The arguments that select the database.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct DatabaseArgs {
    /// URL of a PostgreSQL 15 or newer: postgresql://USER:PASSWORD@HOST:5432/DATABASE [default: embedded PostgreSQL]
    #[arg(
        long,
        global = true,
        env = "TOOLHUB_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) database_url: Option<String>,
    /// File with the database URL, for secrets that are mounted as files [default: none]
    #[arg(
        long,
        global = true,
        env = "TOOLHUB_DATABASE_URL_FILE",
        value_name = "FILE",
        conflicts_with = "database_url"
    )]
    pub(crate) database_url_file: Option<PathBuf>,
    /// Data directory of the embedded PostgreSQL [default: /var/lib/toolhub as root, else the XDG data directory]
    #[arg(long, global = true, env = "TOOLHUB_DATA_DIR", value_name = "DIRECTORY")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The URL of the external database, if one is given.
    fn external(&self) -> anyhow::Result<Option<String>> {
        match (&self.database_url, &self.database_url_file) {
            (Some(url), _) => Ok(Some(url.clone())),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read the database address from {}", file.display()))?;
                Ok(Some(text.trim().to_owned()))
            }
            (None, None) => Ok(None),
        }
    }

    fn data_dir(&self) -> anyhow::Result<PathBuf> {
        match &self.data_dir {
            Some(path) => Ok(path.clone()),
            None => Ok(embedded::default_data_dir()?),
        }
    }

    /// Connects and migrates the schema. Starts the embedded server if no external database is given.
    pub(crate) async fn open(&self) -> anyhow::Result<Database> {
        match self.external()? {
            Some(url) => {
                let database = Database::external(url).await?;
                database.store.migrate().await?;
                Ok(database)
            }
            None => Database::embedded(&self.data_dir()?).await,
        }
    }

    /// Connects to the external database, or to the embedded one of a running server. Starts the embedded server for the
    /// duration of the command if none is running.
    pub(crate) async fn reach(&self) -> anyhow::Result<Database> {
        if let Some(url) = self.external()? {
            return Database::external(url).await;
        }
        let data_dir = self.data_dir()?;
        match embedded::running_url(&data_dir)? {
            Some(url) => Database::external(url).await,
            None if data_dir.exists() => Database::embedded(&data_dir).await,
            None => bail!(
                "no database: {} does not exist and --database-url is not set. Run `toolhub serve` once, or set \
                 --database-url",
                data_dir.display()
            ),
        }
    }

    /// Connects to the external database, or starts the embedded server, without a schema. It is for a backup to fill.
    pub(crate) async fn open_empty(&self) -> anyhow::Result<Database> {
        if let Some(url) = self.external()? {
            return Database::external(url).await;
        }
        let data_dir = self.data_dir()?;
        if embedded::running_url(&data_dir)?.is_some() {
            bail!(
                "a server uses {}. Stop it, or choose another directory with --data-dir",
                data_dir.display()
            );
        }
        Database::start(&data_dir).await
    }
}

/// An open database, and its embedded server if there is one.
pub(crate) struct Database {
    pub(crate) store: Store,
    /// Its address, with the password.
    pub(crate) url: String,
    pub(crate) embedded: Option<EmbeddedServer>,
}

impl Database {
    /// Connects to a database that runs.
    async fn external(url: String) -> anyhow::Result<Database> {
        Ok(Database {
            store: Store::connect(&url, PoolOptions::default()).await?,
            url,
            embedded: None,
        })
    }

    /// Starts the embedded server of a data directory, and migrates the schema.
    pub(crate) async fn embedded(data_dir: &Path) -> anyhow::Result<Database> {
        let database = Database::start(data_dir).await?;
        match database.store.migrate().await {
            Ok(_) => Ok(database),
            Err(error) => {
                database.close().await?;
                Err(error.into())
            }
        }
    }

    /// Starts the embedded server of a data directory.
    async fn start(data_dir: &Path) -> anyhow::Result<Database> {
        let server = EmbeddedServer::start(EmbeddedOptions::from_env(data_dir)).await?;
        let url = server.url();
        match Store::connect(&url, PoolOptions::default()).await {
            Ok(store) => Ok(Database {
                store,
                url,
                embedded: Some(server),
            }),
            Err(error) => {
                server.stop().await?;
                Err(error.into())
            }
        }
    }

    /// Closes the connections and stops the embedded server.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.store.close();
        if let Some(server) = self.embedded {
            server.stop().await?;
        }
        Ok(())
    }
}
