//! The address of the client.
//!
//! The address of the peer, unless the peer is a proxy that the operator trusts: then the last address in
//! `X-Forwarded-For` that is not such a proxy. What a client writes into that header is further left and is
//! ignored.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;

use crate::state::App;

/// The address of the client, where the transport has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

/// Puts the address of the client beside the request.
pub(crate) async fn resolve(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| peer.ip());
    let address = peer.map(|peer| client(peer, request.headers(), &app.config.trusted_proxies));
    request.extensions_mut().insert(ClientAddress(address));
    next.run(request).await
}

fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let mut address = peer.to_canonical();
    let hops = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect::<Vec<_>>();
    for hop in hops.into_iter().rev() {
        if !is_proxy(address) {
            break;
        }
        // A value that is not an address ends the chain at the proxy that wrote it.
        let Ok(hop) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        address = hop.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded: &[&str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted
            .split_whitespace()
            .map(|net| net.parse().unwrap())
            .collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_header_from_an_untrusted_peer_is_ignored() {
        assert_eq!(from("203.0.113.9", &["1.1.1.1"], ""), "203.0.113.9");
        assert_eq!(from("203.0.113.9", &["1.1.1.1"], "10.0.0.0/8"), "203.0.113.9");
    }

    #[test]
    fn behind_trusted_proxies_the_last_hop_that_is_none_of_them_is_the_client() {
        let trusted = "10.0.0.0/8 ::1/128";
        assert_eq!(from("10.0.0.1", &["198.51.100.7"], trusted), "198.51.100.7");
        assert_eq!(
            from("10.0.0.1", &["6.6.6.6, 198.51.100.7, 10.0.0.2"], trusted),
            "198.51.100.7"
        );
        assert_eq!(
            from("10.0.0.1", &["6.6.6.6", "198.51.100.7"], trusted),
            "198.51.100.7"
        );
        assert_eq!(from("::ffff:10.0.0.1", &["2001:db8::1"], trusted), "2001:db8::1");
        assert_eq!(from("10.0.0.1", &["6.6.6.6, <script>"], trusted), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[], trusted), "10.0.0.1");
    }
}
