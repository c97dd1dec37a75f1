//! What is said by browsers: the session's cookie, and where a request comes from.
use crate::http::problem::Failure;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use std::time::Duration;

/// The cookie of a session. `__Host-`: browsers take it over TLS only, from this very host, for all of its paths (RFC 6265bis,
/// section 4.1.3.2).
pub(in crate::http) const SESSION: &str = "__Host-pilotlight";

/// The longest path that somebody is led back to.
const LONGEST_NEXT: usize = 512;

/// The cookie of the session.
pub(in crate::http) fn session(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION)
}

/// A cookie of a request.
pub(in crate::http) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
}

/// A cookie for a browser to keep that long. Lax: it comes along when an issuer leads the browser back, and with no other site's forms.
pub(in crate::http) fn set_cookie(name: &str, value: &str, keep: Duration) -> Option<HeaderValue> {
    let seconds = keep.as_secs();
    HeaderValue::from_str(&format!(
        "{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}"
    ))
    .ok()
}

/// Whether a request that a browser makes comes from one of our own pages. Browsers say so by `Sec-Fetch-Site`, and those that do not by
/// `Origin`; of a request with neither nothing is known, and it is not believed.
pub(in crate::http) fn same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    says_our_origin(headers)
}

/// The same for a form that needs no session: a browser that says nothing of where it comes from may sign in.
pub(in crate::http) fn not_cross_site(headers: &HeaderMap) -> bool {
    let silent = !headers.contains_key("sec-fetch-site") && !headers.contains_key(header::ORIGIN);
    silent || same_origin(headers)
}

fn says_our_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => {
            origin.strip_prefix("https://").is_some_and(|ours| ours.eq_ignore_ascii_case(host))
        }
        _ => false,
    }
}

/// A request that another site's page made a browser send.
pub(in crate::http) fn cross_site() -> Failure {
    let detail = "a browser's session is good for requests of this server's own pages; programs send `Authorization: Bearer TOKEN`";
    Failure::new(StatusCode::FORBIDDEN, "cross-site", "That did not come from a page of this server", detail)
}

/// Where a person's browser is led that has no session: to sign in, and then to where it wanted to go. Programs are told 401.
pub(in crate::http) fn to_sign_in(request: &Request) -> Option<Response> {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let page = request.method().is_safe()
        && accepts.is_some_and(|accept| accept.contains("text/html"))
        && !request.uri().path().starts_with("/api/");
    page.then(|| {
        let wanted = request.uri().path_and_query().map_or("/status", axum::http::uri::PathAndQuery::as_str);
        Redirect::to(&format!("/sign-in?next={}", escaped(next(Some(wanted))))).into_response()
    })
}

/// The path on this server that somebody is led to once they are signed in. What could lead elsewhere is not followed: `//host`,
/// `/\host`, anything that a browser would read so once it has dropped tabs and line ends (WHATWG URL).
pub(in crate::http) fn next(asked: Option<&str>) -> &str {
    let path = asked.unwrap_or_default();
    let plain = |b: u8| b.is_ascii_graphic() && b != b'\\';
    let ours = path.starts_with('/') && !path.starts_with("//");
    let good = ours
        && path.len() <= LONGEST_NEXT
        && path.bytes().all(plain)
        && !path.starts_with("/sign-")
        && !path.starts_with("/api/");
    if good { path } else { "/status" }
}

/// A path as a value of a query string.
pub(in crate::http) fn escaped(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
    path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_pages_are_believed() {
        let host = ("host", "p.example:8443");
        for good in [
            headers(&[host, ("sec-fetch-site", "same-origin")]),
            headers(&[host, ("origin", "https://p.example:8443")]),
        ] {
            assert!(same_origin(&good) && not_cross_site(&good), "{good:?}");
        }
        for bad in [
            headers(&[host, ("sec-fetch-site", "same-site")]),
            headers(&[host, ("sec-fetch-site", "cross-site"), ("origin", "https://p.example:8443")]),
            headers(&[host, ("sec-fetch-site", "none")]),
            headers(&[host, ("origin", "https://evil.example")]),
            headers(&[host, ("origin", "https://p.example")]),
            headers(&[host, ("origin", "http://p.example:8443")]),
            headers(&[host, ("origin", "null")]),
        ] {
            assert!(!same_origin(&bad) && !not_cross_site(&bad), "{bad:?}");
        }
        let silent = headers(&[host]);
        assert!(!same_origin(&silent) && not_cross_site(&silent));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&[("cookie", "a=b; __Host-pilotlight=x_y-z; c"), ("cookie", "d=e")]);
        assert_eq!(session(&headers), Some("x_y-z"));
        assert_eq!(cookie(&headers, "d"), Some("e"), "HTTP/2 has a line for each");
        assert_eq!(cookie(&headers, "Host-pilotlight"), None);
    }

    #[test]
    fn one_is_led_back_to_where_one_wanted_to_go() {
        for good in ["/status", "/machines?selector=a%3Db&x=1", "/"] {
            assert_eq!(next(Some(good)), good);
        }
        for bad in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "javascript:alert(1)",
            "",
            "status",
            "/a\r\nSet-Cookie: b=c",
            "/sign-out",
            "/api/v1/tokens",
        ] {
            assert_eq!(next(Some(bad)), "/status", "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nobody_is_led_off_this_server(path in "[/\\\\a-z:.@\t\r\n?#%]{0,24}") {
            let base = reqwest::Url::parse("https://p.example:8443/sign-in").unwrap();
            let led = base.join(next(Some(&path))).unwrap();
            prop_assert_eq!(led.origin(), base.origin());
            let through = base.join(&format!("/sign-in?next={}", escaped(&path))).unwrap();
            let read = through.query_pairs().find(|(key, _)| key == "next").map(|(_, value)| value.into_owned());
            prop_assert_eq!(read.unwrap_or_default(), path);
        }
    }
}
