//! What a script would fetch, without running it: the URLs of its `kernel` and `initrd` lines, settings filled in.
use pilotlight_types::Mac;
use std::collections::HashMap;
use uuid::Uuid;

/// The settings of iPXE by their names: `uuid`, `serial:uristring`.
pub(in crate::cli) type Settings<'a> = HashMap<&'a str, String>;

/// What iPXE knows of a machine before any script tells it.
pub(in crate::cli) fn settings_of(mac: Mac, uuid: Uuid, serial: &str) -> Settings<'static> {
    [
        ("netX/mac:hexhyp", mac.hyphenated()),
        ("uuid", uuid.to_string()),
        ("serial", serial.to_owned()),
        ("serial:uristring", escaped(serial)),
    ]
    .into_iter()
    .collect()
}

/// A text as `:uristring` has it: percent signs for all that could mean something in a URL.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The URLs that an iPXE script loads from, in their order.
pub(in crate::cli) fn loads(script: &str) -> Vec<String> {
    let mut settings = Settings::new();
    let mut urls = Vec::new();
    for line in script.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["set", name, value] => {
                settings.insert(name.split(':').next().unwrap_or(name), filled(value, &settings));
            }
            ["kernel" | "initrd" | "module" | "imgfetch", rest @ ..] => {
                // The first word that is no option, nor an option's value, is the URL.
                let mut rest = rest.iter();
                while let Some(word) = rest.next() {
                    if matches!(*word, "--name" | "--timeout" | "-n") {
                        rest.next();
                    } else if !word.starts_with('-') {
                        urls.push(filled(word, &settings));
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    urls
}

/// A word with its settings filled in: nothing for one that is not set.
pub(in crate::cli) fn filled(word: &str, settings: &Settings<'_>) -> String {
    let mut text = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else { break };
        text.push_str(before);
        text.push_str(settings.get(name).map_or("", String::as_str));
        rest = tail;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_filled_in_as_ipxe_does() {
        let uuid = "4c4c4544-0000-1000-8000-525400eb05e2".parse().unwrap();
        let settings = settings_of(Mac::new([2, 0, 0, 0, 0, 1]), uuid, "8F 2A&");
        let url = "http://s/?mac=${netX/mac:hexhyp}&uuid=${uuid}&serial=${serial:uristring}&x=${none}";
        let expected =
            "http://s/?mac=02-00-00-00-00-01&uuid=4c4c4544-0000-1000-8000-525400eb05e2&serial=8F%202A%26&x=";
        assert_eq!(filled(url, &settings), expected);
    }

    #[test]
    fn the_files_of_a_script_are_found() {
        let script = "#!ipxe\nset base http://s/b\nset tries:int32 0\n:fetch\nimgfree\n\
            kernel ${base}/kernel initrd=initramfs.img a=b || goto failed\n\
            initrd --name initramfs.img ${base}/initramfs.img || goto failed\nboot\n";
        assert_eq!(loads(script), ["http://s/b/kernel", "http://s/b/initramfs.img"]);
        assert_eq!(loads("kernel\ninitrd --name x\nkernel --name a ${none}/k"), ["/k"]);
    }
}
