//! `upload --dry-run`: shows what would be sent, and opens no connection.

use std::{io::ErrorKind, net::TcpListener};

use crate::cli::Home;

#[test]
fn a_dry_run_prints_the_events_and_opens_no_connection() {
    let home = Home::with_calls(3);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (code, stdout, stderr) = home.run(&["upload", "--dry-run", "--print-events", "--url", &url]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout.lines().count(), 3, "{stdout}");
    // A connection that was made waits in the queue of the listener, also after its end.
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(
        !home.path().join(".local/state/toolhub").exists(),
        "and remembers nothing"
    );
}
