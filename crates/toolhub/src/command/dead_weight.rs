use clap::{Args, builder::TypedValueParser};
use client::{Error, Exit, read::Endpoint};
use model::{
    Kind,
    api::{AllOr, GroupBy, Verdict, query::DeadWeightQuery},
};

use super::reading;
use crate::{
    args::{Page, kinds, word},
    context::Context,
};

/// List tools that are loaded or installed but not used
#[derive(Debug, Args)]
pub(crate) struct DeadWeight {
    /// Window in UTC days, including today [default: 30, or 14 or 7 where the events reach back less far]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// Only list tools of this kind
    #[arg(long, value_parser = kinds())]
    kind: Option<AllOr<Kind>>,
    /// Only list tools that this member has
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only list tools that this project has
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Only list tools with this verdict, including used ones [default: tools without calls that are known for long enough]
    #[arg(long, value_parser = verdicts())]
    verdict: Option<AllOr<Verdict>>,
    /// List what is removed together instead, with the tools that are in use: by what one step removes, by plugin, by MCP
    /// server or by marketplace [default: tools]
    #[arg(long, value_parser = word::<GroupBy>(GroupBy::ALL.iter().map(|by| by.as_str())))]
    group_by: Option<GroupBy>,
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
            group_by: self.group_by,
            judged: self.verdict.is_none().then_some(true),
            ..DeadWeightQuery::default()
        };
        let endpoint = Endpoint::DeadWeight(self.page.of(query, context));
        reading::show(endpoint, &self.page.output, context).await
    }
}

/// `all`, and the verdicts.
fn verdicts() -> impl TypedValueParser<Value = AllOr<Verdict>> {
    let verdicts = Verdict::ALL.iter().map(|verdict| verdict.as_str());
    word([AllOr::<Verdict>::ALL].into_iter().chain(verdicts))
}
