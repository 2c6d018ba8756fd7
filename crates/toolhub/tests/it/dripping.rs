//! A server that never ends its answer holds no command longer than it was told to wait.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::cli::{Home, token};

/// Listens, and answers every request with a byte every 100 ms, for ever.
fn dripping() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drip(stream));
        }
    });
    url
}

fn drip(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 4_096]);
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    let mut written = stream.write_all(head);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    while written.is_ok() {
        // Nothing more comes: this is the pause.
        let _ = stream.read(&mut [0]);
        written = stream.write_all(b" ");
    }
}

#[test]
fn an_upload_waits_for_an_answer_that_drips_as_long_as_it_was_told_and_no_longer() {
    let home = Home::with_calls(3);
    let url = dripping();
    for more in [&[][..], &["--changed"], &["--wait"]] {
        let given = ["upload", "--url", &url, "--token", &token(), "--retry-for", "2s"].map(str::to_owned);
        let arguments: Vec<&str> = given
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        let started = Instant::now();
        let (code, _, stderr) = home.run(&arguments);
        assert_eq!(code, 75, "{more:?}: {stderr}");
        // One attempt alone would take a minute otherwise.
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{:?}",
            started.elapsed()
        );
    }
}
