use clap::{Args, builder::TypedValueParser};
use client::{Error, Exit, read::Endpoint};
use model::{
    Kind,
    api::{AllOr, Verdict, query::DeadWeightQuery},
};

use super::reading;
use crate::{
    args::{Page, kinds, word},
    context::Context,
};

/// Find the tools that are loaded and paid for, and that nobody uses
#[derive(Debug, Args)]
pub(crate) struct DeadWeight {
    /// How many UTC days to look back, today included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// Only tools of this kind
    #[arg(long, value_parser = kinds())]
    kind: Option<AllOr<Kind>>,
    /// Only what this member has: a personal removal list
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only what this project has
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Tools with this verdict, also used ones; without it, the tools that nobody called
    #[arg(long, value_parser = verdicts())]
    verdict: Option<AllOr<Verdict>>,
    #[command(flatten)]
    page: Page,
}

impl DeadWeight {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let settings = &context.settings;
        let query = DeadWeightQuery {
            days: self.days.or(settings.days).map(i64::from),
            kind: context.option(self.kind, "kind", settings.kind.as_ref())?,
            member: self.member,
            project: self.project,
            verdict: self.verdict,
            ..DeadWeightQuery::default()
        };
        let endpoint = Endpoint::DeadWeight(self.page.of(query, context));
        reading::show(endpoint, self.page.format.as_deref(), context).await
    }
}

/// `all`, and the verdicts.
fn verdicts() -> impl TypedValueParser<Value = AllOr<Verdict>> {
    let verdicts = Verdict::ALL.iter().map(|verdict| verdict.as_str());
    word([AllOr::<Verdict>::ALL].into_iter().chain(verdicts))
}
