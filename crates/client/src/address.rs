//! The address of a server: its normal form, and whether it is a loopback address.

use reqwest::Url;

use crate::Error;

/// The normal form of an address: scheme and host in lower case, no slash at the end.
pub fn normalize_url(text: &str) -> Result<String, Error> {
    let invalid =
        |expected: &str| Error::Usage(format!("`{text}` is not the address of a server: {expected}"));
    let url = Url::parse(text).map_err(|_| invalid("an address is like http://127.0.0.1:7700"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("it must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it must not contain a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must not contain `?` or `#`"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// True for an address of this machine.
pub fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// The same address under each name of the loopback interface; none for other addresses.
pub(crate) fn loopback_names(url: &str) -> Vec<String> {
    const NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
    let Some(host) = Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .filter(|host| NAMES.contains(&host.as_str()))
    else {
        return Vec::new();
    };
    NAMES.iter().map(|name| url.replacen(&host, name, 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_normal_form() {
        for text in [
            "http://Toolhub.example:80/",
            "http://toolhub.example",
            "HTTP://toolhub.example//",
        ] {
            assert_eq!(normalize_url(text).unwrap(), "http://toolhub.example", "{text}");
        }
        assert_eq!(
            normalize_url("https://a.example/hub/").unwrap(),
            "https://a.example/hub"
        );
        for text in [
            "",
            "127.0.0.1:7700",
            "ftp://a",
            "http://u:p@a",
            "http://a?x=1",
            "http://a#x",
        ] {
            assert_eq!(
                normalize_url(text).unwrap_err().exit(),
                crate::Exit::Usage,
                "{text}"
            );
        }
    }

    #[test]
    fn the_loopback_interface_has_three_names() {
        assert_eq!(
            loopback_names("http://localhost:7711"),
            [
                "http://127.0.0.1:7711",
                "http://localhost:7711",
                "http://[::1]:7711"
            ]
        );
        assert_eq!(loopback_names("http://localhost.example"), [""; 0]);
        assert_eq!(loopback_names("http://127.0.0.2"), [""; 0]);
    }

    #[test]
    fn loopback_is_recognised_by_name_and_by_number() {
        for url in ["http://localhost:1", "http://127.8.0.1", "http://[::1]:7700"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://localhost.example", "http://10.0.0.1", "nonsense"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
