//! Group commit: uploads that arrive while others are being committed share the next transaction.
//!
//! A lone upload never waits: it finds a free slot and is committed at once. Only when every slot is busy does a
//! queue form, and the next free slot takes all that waits for one org, up to a bound, into one transaction. So the
//! delay is never longer than the commit in front, and small uploads cost a share of a commit instead of one each.
//! Every caller is answered after COMMIT, with the result of its own batch.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use model::OrgId;
use store::{
    Store, StoreError,
    ingest::{Batch, BatchResult},
};
use tokio::{sync::oneshot, time::Instant};

use crate::error::ApiError;

/// Transactions of uploads that run at the same time in this process. More of them only compete for the disk's sync.
const SLOTS: usize = 4;

/// Those of one org: a slot is always left for others.
const ORG_SLOTS: usize = 3;

/// A shared transaction takes batches until it has this many events; one batch may be larger alone.
const MAX_SHARED_EVENTS: usize = 5_000;

/// Events that may wait in this process, over all orgs. Beyond, uploads are refused with 503.
const MAX_WAITING_EVENTS: usize = 200_000;

/// Those of one org.
const MAX_ORG_WAITING_EVENTS: usize = 130_000;

/// How long an upload is tried again while the data of its member is being changed. It waits without a connection and
/// without a slot.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
pub(crate) const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// How long a transaction may take, beyond the statement timeouts: for a database that does not answer at all. Also how
/// long an upload waits for its result, so that a queue in front of such a database does not add up.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(9);

/// Commits uploads. Cheap to clone, one per process.
#[derive(Clone)]
pub(crate) struct Committer(Arc<Shared>);

struct Shared {
    store: Store,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// The queued batches and the slots in use, by org; only orgs that have one or the other.
    lines: HashMap<OrgId, Line>,
    /// The orgs with queued batches, in round-robin order, so that a busy org cannot starve another.
    turns: VecDeque<OrgId>,
    /// Events in `lines`.
    events: usize,
    /// Slots in use.
    running: usize,
}

/// What one org has.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    /// Events in `waiting`.
    events: usize,
    /// Slots in use.
    running: usize,
}

struct Waiting {
    batch: Batch,
    now: DateTime<Utc>,
    answer: Answer,
}

/// Where the result of a batch goes.
type Answer = oneshot::Sender<Result<BatchResult, Refused>>;

/// Why a batch was not stored.
enum Refused {
    Error(ApiError),
    /// The data of its member is being changed. The batch, to be tried again.
    Busy(Box<Batch>),
}

impl Committer {
    pub(crate) fn new(store: Store) -> Committer {
        Committer(Arc::new(Shared {
            store,
            queue: Mutex::default(),
        }))
    }

    /// Commits a batch, alone or together with others of its org, and returns the result of its events. A commit that
    /// has begun continues when the caller disconnects; a batch that is still queued is then dropped.
    pub(crate) async fn commit(
        &self,
        org: OrgId,
        mut batch: Batch,
        now: DateTime<Utc>,
    ) -> Result<BatchResult, ApiError> {
        let give_up = Instant::now() + BUSY_TIMEOUT;
        loop {
            batch = match self.queue(org, batch, now).await {
                Ok(stored) => return Ok(stored),
                Err(Refused::Error(error)) => return Err(error),
                Err(Refused::Busy(_)) if Instant::now() >= give_up => {
                    return Err(ApiError::MemberBusy { retry_after: 2 });
                }
                Err(Refused::Busy(batch)) => *batch,
            };
            tokio::time::sleep(BUSY_PAUSE).await;
        }
    }

    async fn queue(&self, org: OrgId, batch: Batch, now: DateTime<Utc>) -> Result<BatchResult, Refused> {
        let (answer, answered) = oneshot::channel();
        let starts = self
            .lock()
            .push(org, Waiting { batch, now, answer })
            .map_err(Refused::Error)?;
        if starts {
            let committer = self.clone();
            tokio::spawn(async move { committer.work().await });
        }
        match tokio::time::timeout(COMMIT_TIMEOUT, answered).await {
            Ok(Ok(counts)) => counts,
            Ok(Err(_)) => Err(Refused::Error(ApiError::Internal {
                cause: "a commit task ended early".into(),
            })),
            Err(_) => Err(Refused::Error(
                StoreError::NoAnswer {
                    waited: COMMIT_TIMEOUT,
                }
                .into(),
            )),
        }
    }

    /// Commits group after group until the queue is empty.
    async fn work(self) {
        while let Some((org, group)) = self.next() {
            self.commit_group(org, group).await;
            self.lock().finish(org);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        // The queue is consistent between its methods, and none of them can panic half-way.
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<(OrgId, Vec<Waiting>)> {
        self.lock().take()
    }

    async fn commit_group(&self, org: OrgId, group: Vec<Waiting>) {
        if group.is_empty() {
            return;
        }
        let now = group.iter().map(|waiting| waiting.now).max().unwrap_or_default();
        let (batches, answers): (Vec<Batch>, Vec<_>) = group
            .into_iter()
            .map(|waiting| (waiting.batch, waiting.answer))
            .unzip();
        metrics::histogram!("toolhub_commit_batches")
            .record(u32::try_from(batches.len()).unwrap_or(u32::MAX));
        #[cfg(feature = "planted-bugs")]
        let answers = if store::planted::is("ack_before_commit") {
            acknowledge_early(&batches, answers)
        } else {
            answers
        };
        match self.run(org, &batches, now).await {
            Ok(stored) => {
                for (answer, stored) in answers.into_iter().zip(stored) {
                    let _ = answer.send(Ok(stored));
                }
            }
            // Their batches are handed back; the others do not wait for them.
            Err(StoreError::MembersBusy(members)) => {
                let mut others = Vec::new();
                for (batch, answer) in batches.into_iter().zip(answers) {
                    if members.contains(&batch.member) {
                        let _ = answer.send(Err(Refused::Busy(Box::new(batch))));
                    } else {
                        others.push(Waiting { batch, now, answer });
                    }
                }
                Box::pin(self.commit_group(org, others)).await;
            }
            // One batch makes the shared transaction fail: each is committed alone, so that only that one fails.
            Err(error) if batches.len() > 1 && !error.is_temporary() => {
                tracing::warn!(%error, batches = batches.len(), "a shared commit failed; trying each upload alone");
                for (batch, answer) in batches.iter().zip(answers) {
                    let stored = self.run(org, std::slice::from_ref(batch), now).await;
                    let stored = stored.map(|mut stored| stored.remove(0));
                    let _ = answer.send(stored.map_err(|error| Refused::Error(error.into())));
                }
            }
            Err(error) => {
                let temporary = error.is_temporary();
                let cause = error.to_string();
                for answer in answers {
                    let error = if temporary {
                        ApiError::Unavailable {
                            retry_after: 1,
                            cause: cause.clone(),
                        }
                    } else {
                        ApiError::Internal { cause: cause.clone() }
                    };
                    let _ = answer.send(Err(Refused::Error(error)));
                }
            }
        }
    }

    async fn run(
        &self,
        org: OrgId,
        batches: &[Batch],
        now: DateTime<Utc>,
    ) -> Result<Vec<BatchResult>, StoreError> {
        let started = std::time::Instant::now();
        let stored = tokio::time::timeout(COMMIT_TIMEOUT, self.0.store.ingest(org, batches, now))
            .await
            .unwrap_or(Err(StoreError::NoAnswer {
                waited: COMMIT_TIMEOUT,
            }));
        let result = if stored.is_ok() { "ok" } else { "error" };
        metrics::histogram!("toolhub_commit_seconds", "result" => result).record(started.elapsed());
        stored
    }
}

/// A planted bug: everything is reported as inserted before it is.
#[cfg(feature = "planted-bugs")]
fn acknowledge_early(batches: &[Batch], answers: Vec<Answer>) -> Vec<Answer> {
    for (batch, answer) in batches.iter().zip(answers) {
        let mut stored = BatchResult::default();
        stored.counts.inserted = batch.events.len() as u64;
        let _ = answer.send(Ok(stored));
    }
    batches.iter().map(|_| oneshot::channel().0).collect()
}

impl Queue {
    /// Adds a batch; true when a slot is free for a task that processes the queue.
    fn push(&mut self, org: OrgId, waiting: Waiting) -> Result<bool, ApiError> {
        let events = waiting.batch.events.len();
        let full = self.events > 0 && self.events + events > MAX_WAITING_EVENTS;
        let line = self.lines.entry(org).or_default();
        if full || line.events > 0 && line.events + events > MAX_ORG_WAITING_EVENTS {
            self.forget_idle(org);
            metrics::counter!("toolhub_shed_total", "reason" => "queue").increment(1);
            return Err(ApiError::Overloaded { retry_after: 1 });
        }
        self.events += events;
        line.events += events;
        if line.waiting.is_empty() {
            self.turns.push_back(org);
        }
        line.waiting.push_back(waiting);
        let starts = self.running < SLOTS && line.running < ORG_SLOTS;
        if starts {
            self.running += 1;
        }
        Ok(starts)
    }

    /// A transaction of the org has ended.
    fn finish(&mut self, org: OrgId) {
        if let Some(line) = self.lines.get_mut(&org) {
            line.running -= 1;
        }
        self.forget_idle(org);
    }

    fn forget_idle(&mut self, org: OrgId) {
        if self
            .lines
            .get(&org)
            .is_some_and(|line| line.waiting.is_empty() && line.running == 0)
        {
            self.lines.remove(&org);
        }
    }

    /// The next group of one org that has a slot left; releases the slot when there is none. What then waits is taken by
    /// the tasks of its org, which are all at work.
    fn take(&mut self) -> Option<(OrgId, Vec<Waiting>)> {
        let lines = &mut self.lines;
        let turn = self
            .turns
            .iter()
            .position(|org| lines.get(org).is_some_and(|line| line.running < ORG_SLOTS));
        let Some(org) = turn.and_then(|turn| self.turns.remove(turn)) else {
            self.running -= 1;
            return None;
        };
        let mut group = Vec::new();
        let (mut events, mut taken) = (0, 0);
        if let Some(line) = lines.get_mut(&org) {
            line.running += 1;
            while let Some(next) = line.waiting.front() {
                let size = next.batch.events.len();
                if !group.is_empty() && events + size > MAX_SHARED_EVENTS {
                    break;
                }
                taken += size;
                let Some(next) = line.waiting.pop_front() else {
                    break;
                };
                // The client has disconnected and will send it again.
                if !next.answer.is_closed() {
                    events += size;
                    group.push(next);
                }
            }
            line.events -= taken;
            if !line.waiting.is_empty() {
                self.turns.push_back(org);
            }
        }
        self.events -= taken;
        Some((org, group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{CallResult, Event, MemberId, ToolId, event::Source};

    fn waiting(events: usize) -> Waiting {
        let event = Event::new(
            ToolId::parse("skill:x").unwrap(),
            CallResult::SUCCESS,
            DateTime::UNIX_EPOCH,
        );
        let batch = Batch {
            member: MemberId(1),
            upload_id: uuid::Uuid::nil(),
            source: Source::Api,
            client: None,
            ci: None,
            hash: String::new(),
            rejected: 0,
            events: vec![event; events],
            unnamed: Vec::new(),
            unkeyed: 0,
        };
        let (answer, answered) = oneshot::channel();
        // Keeps the receiver alive for as long as the test runs.
        std::mem::forget(answered);
        Waiting {
            batch,
            now: DateTime::UNIX_EPOCH,
            answer,
        }
    }

    #[test]
    fn an_upload_whose_client_has_disconnected_is_left_out() {
        let mut queue = Queue::default();
        let given_up = Waiting {
            answer: oneshot::channel().0,
            ..waiting(7)
        };
        queue.push(OrgId(1), given_up).unwrap();
        queue.push(OrgId(1), waiting(3)).unwrap();
        let group = queue.take().unwrap().1;
        assert_eq!(
            group.iter().map(|w| w.batch.events.len()).collect::<Vec<_>>(),
            [3]
        );
        assert_eq!(queue.events, 0);
    }

    #[test]
    fn what_waits_for_one_org_shares_a_transaction_up_to_the_bound() {
        let mut queue = Queue::default();
        for _ in 0..3 {
            queue.push(OrgId(1), waiting(2_000)).unwrap();
        }
        queue.push(OrgId(2), waiting(10)).unwrap();
        let sizes = |group: Option<(OrgId, Vec<Waiting>)>| {
            group.map(|(org, group)| {
                (
                    org.0,
                    group.iter().map(|w| w.batch.events.len()).collect::<Vec<_>>(),
                )
            })
        };
        assert_eq!(sizes(queue.take()), Some((1, vec![2_000, 2_000])));
        assert_eq!(
            sizes(queue.take()),
            Some((2, vec![10])),
            "the other org has its turn"
        );
        assert_eq!(sizes(queue.take()), Some((1, vec![2_000])));
        assert_eq!(queue.events, 0);
        for org in [1, 2, 1] {
            queue.finish(OrgId(org));
        }
        assert!(
            queue.lines.is_empty(),
            "nothing is remembered of an org without work"
        );
    }

    #[test]
    fn an_org_leaves_a_slot_to_others() {
        let mut queue = Queue::default();
        for _ in 0..10 {
            queue.push(OrgId(1), waiting(MAX_SHARED_EVENTS)).unwrap();
        }
        for _ in 0..ORG_SLOTS {
            assert!(queue.take().is_some());
        }
        assert!(
            queue.take().is_none(),
            "a fourth task finds nothing that it may take"
        );
        assert!(
            queue.push(OrgId(2), waiting(1)).unwrap(),
            "the other org starts at once"
        );
        assert_eq!(queue.take().map(|(org, _)| org), Some(OrgId(2)));
        assert!(queue.take().is_none(), "the first has all that it may have");
        queue.finish(OrgId(1));
        assert_eq!(queue.take().map(|(org, _)| org), Some(OrgId(1)));
    }

    #[test]
    fn only_as_many_tasks_run_as_there_are_slots() {
        let mut queue = Queue::default();
        let started = (0..10)
            .filter(|org| queue.push(OrgId(*org), waiting(1)).unwrap())
            .count();
        assert_eq!(started, SLOTS);
        while queue.take().is_some() {}
        assert_eq!(
            queue.running,
            SLOTS - 1,
            "the task that found nothing has given its slot back"
        );
    }

    #[test]
    fn a_full_queue_refuses_and_a_single_large_batch_does_not_starve() {
        let mut queue = Queue::default();
        queue.push(OrgId(1), waiting(MAX_WAITING_EVENTS + 1)).unwrap();
        assert!(matches!(
            queue.push(OrgId(1), waiting(1)),
            Err(ApiError::Overloaded { .. })
        ));
        assert_eq!(queue.take().map(|(_, group)| group.len()), Some(1));
        assert!(queue.push(OrgId(1), waiting(1)).is_ok());
    }
}
