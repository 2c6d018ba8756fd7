//! An org at a glance: its calls in a window, in the window before, and by day.

use chrono::{Days, NaiveDate};
use model::{
    MicroUsd, OrgId,
    api::{Overview, Totals, TotalsDay, Window},
};
use tokio_postgres::{IsolationLevel, Row};

use crate::{
    Store, StoreError,
    derived::refresh::{as_of, last_day},
    row, scores, usage,
};

/// The wire format takes no event of an earlier day.
const NO_EVENT_BEFORE: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day of the calendar");

impl Store {
    /// The calls of an org, all tools together, from one snapshot.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn overview(&self, org: OrgId, window: Window) -> Result<Overview, StoreError> {
        let mut client = self.client().await?;
        let snapshot = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let today = last_day(&*snapshot, org).await?;
        let first_day = window.first_day(today);
        let before = first_day.map(|day| day - Days::new(u64::from(window.days())));
        let statement = snapshot.prepare_cached(include_str!("overview/days.sql")).await?;
        let [first, from] = [first_day, before].map(|day| day.unwrap_or(NO_EVENT_BEFORE));
        let rows = snapshot
            .query(&statement, &[&org.0, &from, &first, &today])
            .await?;
        let as_of = as_of(&*snapshot, org).await?;
        let statement = snapshot
            .prepare_cached(include_str!("overview/unnamed.sql"))
            .await?;
        let usage = usage::totals_of(&*snapshot, org, first, today).await?;
        let unnamed_calls = row::only(&snapshot.query_one(&statement, &[&org.0]).await?)?;
        snapshot.commit().await?;
        let days = rows.iter().map(read_day).collect::<Result<Vec<_>, _>>()?;
        let in_window = |day: &&Counted| first_day.is_none_or(|first| day.day >= first);
        let (members, previous_members) = match rows.first() {
            Some(row) => (row.try_get("members")?, row.try_get("previous_members")?),
            None => (0, 0),
        };
        let totals = total(days.iter().filter(in_window), members);
        let previous = total(days.iter().filter(|day| !in_window(day)), previous_members);
        Ok(Overview {
            totals,
            previous: first_day.map(|_| previous),
            daily: days.iter().filter(in_window).map(Counted::shown).collect(),
            unnamed_calls,
            usage,
            as_of,
            window,
            first_day,
            last_day: today,
        })
    }
}

/// The counts of a day.
struct Counted {
    day: NaiveDate,
    events: i64,
    own_events: i64,
    successes: i64,
    failures: i64,
    costed: i64,
    cost_micro_usd: i64,
}

impl Counted {
    fn shown(&self) -> TotalsDay {
        TotalsDay {
            day: self.day,
            events: self.events,
            successes: self.successes,
            failures: self.failures,
            cost_usd: (self.costed > 0).then(|| usd(self.cost_micro_usd)),
        }
    }
}

fn read_day(row: &Row) -> Result<Counted, StoreError> {
    Ok(Counted {
        day: row.try_get("day")?,
        events: row.try_get("events")?,
        own_events: row.try_get("own_events")?,
        successes: row.try_get("successes")?,
        failures: row.try_get("failures")?,
        costed: row.try_get("costed")?,
        cost_micro_usd: row.try_get("cost_micro_usd")?,
    })
}

fn total<'d>(days: impl Iterator<Item = &'d Counted>, members: i64) -> Totals {
    let (mut events, mut own_events, mut successes, mut failures) = (0_i64, 0_i64, 0_i64, 0_i64);
    let (mut costed, mut cost) = (0_i64, 0_i64);
    for day in days {
        events += day.events;
        own_events += day.own_events;
        successes += day.successes;
        failures += day.failures;
        costed += day.costed;
        cost = cost.saturating_add(day.cost_micro_usd);
    }
    Totals {
        events,
        own_events,
        successes,
        failures,
        decided_rate: scores::share(successes, successes + failures),
        cost_usd: (costed > 0).then(|| usd(cost)),
        members,
    }
}

fn usd(micro: i64) -> f64 {
    MicroUsd(micro).as_usd()
}
