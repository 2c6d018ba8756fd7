-- How the tools do: derived from usage_events and from nothing else.

-- Lower bound of the 95 % Wilson score interval of successes / decided (E. B. Wilson, Journal of the American
-- Statistical Association 22, 1927, p. 209). z = 1.959963984540054 is the 97.5 % quantile of the normal distribution.
create function wilson_low(successes bigint, decided bigint) returns double precision
    language sql immutable parallel safe
    return case
        when decided > 0 then greatest(0.0::double precision, (
            successes::double precision / decided + 3.8414588206941254 / (2 * decided)
            - 1.959963984540054 * sqrt(
                (successes::double precision / decided) * (1 - successes::double precision / decided) / decided
                + 3.8414588206941254 / (4.0 * decided * decided)
            )
        ) / (1 + 3.8414588206941254 / decided))
    end;

-- No now() in it: a view that depends on the clock rewrites every row at every refresh. How old it is stands in
-- score_refresh.
--
-- Members are counted by grouping twice, and not by count(distinct), which would sort every event a second time.
create materialized view tool_scores as
with by_member as (
    select
        org_id,
        tool_id,
        member_id,
        count(*) as events,
        count(*) filter (where outcome = 'success') as successes,
        count(*) filter (where outcome = 'failure') as failures,
        count(*) filter (where outcome = 'abandoned') as abandoned,
        count(*) filter (where outcome = 'unknown') as unknown,
        sum(cost_micro_usd) as cost_micro_usd,
        count(cost_micro_usd) as costed,
        min(occurred_at) as first_used_at,
        max(occurred_at) as last_used_at
    from usage_events
    group by org_id, tool_id, member_id
),
by_tool as (
    select
        org_id,
        tool_id,
        sum(events)::bigint as events,
        sum(successes)::bigint as successes,
        sum(failures)::bigint as failures,
        sum(abandoned)::bigint as abandoned,
        sum(unknown)::bigint as unknown,
        sum(cost_micro_usd) as cost_micro_usd,
        sum(costed)::bigint as costed,
        count(*) as members,
        min(first_used_at) as first_used_at,
        max(last_used_at) as last_used_at
    from by_member
    group by org_id, tool_id
),
medians as (
    select org_id, tool_id, percentile_cont(0.5) within group (order by duration_ms) as median_duration_ms
    from usage_events
    where duration_ms is not null
    group by org_id, tool_id
)
select
    t.org_id,
    t.tool_id,
    split_part(t.tool_id, ':', 1) as kind,
    t.events,
    t.successes,
    t.failures,
    t.abandoned,
    t.unknown,
    t.successes::double precision / t.events as success_rate,
    t.successes::double precision / nullif(t.successes + t.failures, 0) as decided_rate,
    wilson_low(t.successes, t.successes + t.failures) as wilson_low,
    t.cost_micro_usd::double precision / nullif(t.costed, 0) / 1e6 as avg_cost_usd,
    m.median_duration_ms,
    t.members,
    t.first_used_at,
    t.last_used_at
from by_tool t
left join medians m on m.org_id = t.org_id and m.tool_id = t.tool_id;

-- What REFRESH … CONCURRENTLY needs.
create unique index tool_scores_key on tool_scores (org_id, tool_id);

-- How fresh the scores are. One row; written in the transaction of the refresh.
create table score_refresh (
    view_name text not null,
    started_at timestamptz,
    finished_at timestamptz,
    duration_ms bigint,
    rows_changed bigint,
    last_error text,
    last_error_at timestamptz,
    constraint score_refresh_pkey primary key (view_name)
) with (fillfactor = 70);

insert into score_refresh (view_name) values ('tool_scores');

-- One row per upload that the scores do not hold yet. A refresh deletes the rows that it sees before it reads the
-- events, in one transaction: what it deleted it has counted, whatever the order in which uploads commit. A watermark
-- of ids or times could not promise that.
create table pending_scores (
    org_id bigint not null,
    upload_id uuid not null,
    constraint pending_scores_pkey primary key (org_id, upload_id)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
