use clap::Args;
use client::{
    Error, Exit,
    read::{Filter, Question},
};

use super::reading;
use crate::{args::Page, context::Context};

/// Show what was uploaded and what became of it, newest first
#[derive(Debug, Args)]
pub(crate) struct Uploads {
    /// Only this member
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Uploads {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let filter = self.page.filter(
            Filter {
                member: self.member,
                ..Filter::default()
            },
            context,
        );
        reading::show(Question::Uploads, &filter, self.page.format.as_deref(), context).await
    }
}
