//! URLs as Go's `net/url` reads them, and `data:` URLs (RFC 2397) as Ignition decodes them: what the machine would refuse.
use base64::{Engine, alphabet, engine::GeneralPurpose, engine::GeneralPurposeConfig};

/// Go takes base64 whose last bits are not zero.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// A URL that can be read: its scheme in lower case and what follows it.
pub(super) struct Url<'a> {
    pub(super) scheme: String,
    rest: &'a str,
}

/// Reads a URL; a reference without a scheme has an empty one.
pub(super) fn parse(text: &str) -> Result<Url<'_>, &'static str> {
    if text.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Err("a URL has no control characters");
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    check_escapes(fragment)?;
    let (scheme, rest) = split_scheme(text)?;
    let (path, _) = rest.split_once('?').unwrap_or((rest, ""));
    let url = Url { scheme: scheme.to_ascii_lowercase(), rest };
    if !path.starts_with('/') {
        if scheme.is_empty() && path.split('/').next().is_some_and(|first| first.contains(':')) {
            return Err("this URL has no scheme, like `https:`");
        }
        if scheme.is_empty() {
            check_escapes(path)?;
        }
        return Ok(url);
    }
    let mut path = path;
    if let Some(after) = path.strip_prefix("//").filter(|_| !scheme.is_empty() && !path.starts_with("///")) {
        let end = after.find('/').unwrap_or(after.len());
        check_authority(after.get(..end).unwrap_or_default())?;
        path = after.get(end..).unwrap_or_default();
    }
    check_escapes(path)?;
    Ok(url)
}

fn split_scheme(text: &str) -> Result<(&str, &str), &'static str> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("this URL has no scheme, like `https:`"),
            ':' => {
                return Ok(text.split_at(at))
                    .map(|(scheme, rest)| (scheme, rest.get(1..).unwrap_or_default()));
            }
            _ => break,
        }
    }
    Ok(("", text))
}

fn check_escapes(text: &str) -> Result<(), &'static str> {
    let hex = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_hexdigit());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' && !(hex(bytes.next()) && hex(bytes.next())) {
            return Err("`%` must be followed by two hexadecimal digits in a URL");
        }
    }
    Ok(())
}

fn check_authority(authority: &str) -> Result<(), &'static str> {
    let host = match authority.rsplit_once('@') {
        None => authority,
        Some((user, host)) => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
            if !user.bytes().all(plain) {
                return Err("the user in this URL has characters that must be written as `%XX`");
            }
            check_escapes(user)?;
            host
        }
    };
    let (host, port) = match host.strip_prefix('[') {
        Some(inside) => {
            let (address, port) = inside.rsplit_once(']').ok_or("`]` is missing in the URL's host")?;
            // The zone of an IPv6 address, RFC 6874.
            let (address, zone) = address.split_once("%25").unwrap_or((address, ""));
            check_escapes(zone)?;
            (address, port)
        }
        None => (host, host.rfind(':').and_then(|at| host.get(at..)).unwrap_or_default()),
    };
    if !port.is_empty()
        && !port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err("the URL's port is no number");
    }
    let plain = |b: u8| !b.is_ascii() || b.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&b);
    let escaped = host.split('%').skip(1).all(|part| {
        part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).is_some_and(|byte| byte >= 0x80)
    });
    if !host.bytes().all(|b| plain(b) || b == b'%') || !escaped {
        return Err("the URL's host has characters that no host has");
    }
    Ok(())
}

/// Judges what Ignition is to fetch from: the schemes differ by spec.
pub(super) fn check_source(text: &str, minor: u8) -> Result<(), String> {
    let url = parse(text)?;
    match url.scheme.as_str() {
        "http" | "https" | "tftp" => Ok(()),
        "gs" if minor >= 2 => Ok(()),
        "s3" => check_version_id(url.rest),
        "arn" if minor >= 4 => check_arn(&url),
        "data" => check_data(text).map_err(|why| format!("this `data:` URL cannot be read: {why}")),
        "gs" => Err("`gs:` URLs came with Ignition spec 3.2.0".to_owned()),
        "arn" => Err("`arn:` URLs came with Ignition spec 3.4.0".to_owned()),
        "" => Err("this is no URL: it has no scheme, like `https://`".to_owned()),
        _ => {
            Err("Ignition cannot fetch from URLs of this scheme: http, https, tftp, s3, gs, arn, data"
                .to_owned())
        }
    }
}

fn check_version_id(rest: &str) -> Result<(), String> {
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let first = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(name, _)| *name == "versionId");
    match first {
        Some((_, "")) => Err("the `versionId` is empty".to_owned()),
        _ => Ok(()),
    }
}

/// `arn:partition:s3:region:account:resource`
fn check_arn(url: &Url<'_>) -> Result<(), String> {
    let path = url.rest.split_once('?').map_or(url.rest, |(path, _)| path);
    let sections: Vec<&str> = path.splitn(5, ':').collect();
    let good = match sections.as_slice() {
        [partition, "s3", _, _, resource] if !partition.starts_with('/') => {
            let slashes = path.matches('/').count();
            slashes >= if resource.starts_with("accesspoint/") { 2 } else { 1 }
        }
        _ => false,
    };
    if !good {
        return Err("this is no ARN of an S3 object, like `arn:aws:s3:::bucket/key`".to_owned());
    }
    check_version_id(url.rest)
}

/// RFC 2397: `data:[<type>/<subtype>][;<attribute>=<value>]*[;base64],<data>`
fn check_data(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("data:").ok_or("`data:` must be in lower case")?;
    let (head, data) = split_head(rest).ok_or("a comma is missing before the data")?;
    let mut parts = head.into_iter();
    let media = parts.next().unwrap_or_default();
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b))
    };
    // RFC 6838, section 4.2
    let name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    if !media.is_empty() {
        let (kind, subtype) = media.split_once('/').ok_or("its media type has no `/`")?;
        if !name(kind) || !(subtype.is_empty() || name(subtype)) {
            return Err("its media type has characters that none has");
        }
    }
    let mut encoded = false;
    for part in parts {
        match part.split_once('=') {
            _ if encoded => return Err("`;base64` must be the last before the comma"),
            None if part == "base64" => encoded = true,
            None => return Err("only `;base64` and `;name=value` may stand before the comma"),
            Some((name, value)) => {
                let quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
                if !token(name) || !(quoted || token(value)) {
                    return Err("one of its parameters has characters that none has");
                }
            }
        }
    }
    if encoded {
        BASE64.decode(data).map(|_| ()).map_err(|_| "the data is no base64, or its padding is missing")
    } else {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'();/?:@&=+$,%".contains(&b);
        if !data.bytes().all(plain) {
            return Err("the data has characters that must be written as `%XX`");
        }
        check_escapes(data)
    }
}

/// The parts before the comma, cut at `;`; a comma or semicolon in quotes is neither.
fn split_head(text: &str) -> Option<(Vec<&str>, &str)> {
    let (mut quoted, mut begin, mut parts) = (false, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' | ',' if !quoted => {
                parts.push(text.get(begin..at)?);
                begin = at + 1;
                if c == ',' {
                    return Some((parts, text.get(begin..)?));
                }
            }
            _ => {}
        }
    }
    None
}
