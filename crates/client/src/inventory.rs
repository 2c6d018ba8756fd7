//! Sends the inventory in parts that respect the server's limits.

use model::{
    inventory::{Inventory, InventoryReceipt, MachineInventory, SessionInventory},
    limits::Limits,
};

use crate::{Error, plan::Fingerprint, send::Sender};

const PATH: &str = "/v1/inventory";

/// Sends the inventory without what an earlier upload has sent; `None` when the server has no route for it.
pub(crate) async fn send(
    mut inventory: Inventory,
    sender: &Sender,
) -> Result<Option<InventoryReceipt>, Error> {
    let is_new = |print: Option<Fingerprint>| !print.is_some_and(|print| sender.is_sent(print));
    inventory
        .sessions
        .retain(|session| is_new(Fingerprint::of_json(session)));
    inventory.machine = inventory
        .machine
        .filter(|machine| is_new(print_of_machine(machine)));
    let mut total = InventoryReceipt::default();
    for part in parts(inventory, sender.limits()) {
        let body = serde_json::to_vec(&part).map_err(|error| Error::Output(error.into()))?;
        let Some(receipt) = sender.put::<InventoryReceipt>(PATH, body).await? else {
            return Ok(None);
        };
        let machine = part.machine.as_ref().and_then(print_of_machine);
        let prints: Vec<Fingerprint> = part
            .sessions
            .iter()
            .filter_map(Fingerprint::of_json)
            .chain(machine)
            .collect();
        sender.record_prints(&prints);
        total.sessions += receipt.sessions;
        total.loaded += receipt.loaded;
        total.installed += receipt.installed;
        total.changed += receipt.changed;
    }
    Ok(Some(total))
}

/// A machine is sent once a day also if nothing has changed, so that the server knows that its tools are still there.
fn print_of_machine(machine: &MachineInventory) -> Option<Fingerprint> {
    Fingerprint::of_json(&(
        &machine.machine_id,
        machine.observed_at.date_naive(),
        &machine.tools,
    ))
}

/// Splits an inventory: a part has at most as many rows as a batch may have events, and half of the bytes of a body. The
/// machine is one part, because a tool that is missing from its list counts as removed.
fn parts(inventory: Inventory, limits: &Limits) -> Vec<Inventory> {
    let mut parts = Vec::new();
    let (mut sessions, mut rows, mut bytes) = (Vec::new(), 0, 0);
    for session in inventory.sessions {
        let (more_rows, more_bytes) = size(&session);
        if !sessions.is_empty()
            && (rows + more_rows > limits.batch_events || bytes + more_bytes > limits.decoded_bytes / 2)
        {
            parts.push(Inventory {
                sessions: std::mem::take(&mut sessions),
                machine: None,
            });
            (rows, bytes) = (0, 0);
        }
        rows += more_rows;
        bytes += more_bytes;
        sessions.push(session);
    }
    if !sessions.is_empty() {
        parts.push(Inventory {
            sessions,
            machine: None,
        });
    }
    parts.extend(inventory.machine.map(|machine: MachineInventory| Inventory {
        sessions: Vec::new(),
        machine: Some(machine),
    }));
    parts
}

/// Rows and JSON bytes of a session.
fn size(session: &SessionInventory) -> (usize, usize) {
    (
        session.tools.len() + session.unreachable.len(),
        serde_json::to_vec(session).map_or(0, |json| json.len() + 1),
    )
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use model::{ToolId, inventory::LoadedTool};

    use super::*;

    fn session(id: usize, tools: usize) -> SessionInventory {
        let tool_id = ToolId::parse("skill:pdf").unwrap();
        SessionInventory {
            session_id: format!("s{id}"),
            project: None,
            agent: None,
            observed_at: DateTime::UNIX_EPOCH,
            tools: vec![LoadedTool::new(tool_id, 1); tools],
            unreachable: Vec::new(),
        }
    }

    #[test]
    fn parts_stay_within_the_limits_and_lose_no_session() {
        let limits = Limits {
            batch_events: 10,
            ..Limits::default()
        };
        let machine = MachineInventory {
            machine_id: "m".into(),
            observed_at: DateTime::UNIX_EPOCH,
            tools: Vec::new(),
        };
        let sessions: Vec<_> = [4, 4, 4, 30, 1]
            .iter()
            .enumerate()
            .map(|(id, &tools)| session(id, tools))
            .collect();
        let parts = parts(
            Inventory {
                sessions: sessions.clone(),
                machine: Some(machine),
            },
            &limits,
        );
        let lengths: Vec<usize> = parts.iter().map(|part| part.sessions.len()).collect();
        assert_eq!(lengths, [2, 1, 1, 1, 0]);
        let all: Vec<_> = parts.iter().flat_map(|part| part.sessions.clone()).collect();
        assert_eq!(all, sessions);
        assert!(parts[4].machine.is_some() && parts[..4].iter().all(|part| part.machine.is_none()));
    }

    #[test]
    fn an_empty_inventory_has_no_parts() {
        assert_eq!(parts(Inventory::default(), &Limits::default()), []);
    }
}
