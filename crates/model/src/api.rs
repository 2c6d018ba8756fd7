//! The bodies of the read routes. The server writes them, the client reads them, and `--json` prints them.
