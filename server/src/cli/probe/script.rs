//! What a script would fetch, without running it: the URLs of its `kernel` and `initrd` lines, settings filled in.
use std::collections::HashMap;

/// The URLs that an iPXE script loads from, in their order.
pub(in crate::cli) fn loads(script: &str) -> Vec<String> {
    let mut settings: HashMap<&str, String> = HashMap::new();
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

fn filled(word: &str, settings: &HashMap<&str, String>) -> String {
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
    fn the_files_of_a_script_are_found() {
        let script = "#!ipxe\nset base http://s/b\nset tries:int32 0\n:fetch\nimgfree\n\
            kernel ${base}/kernel initrd=initramfs.img a=b || goto failed\n\
            initrd --name initramfs.img ${base}/initramfs.img || goto failed\nboot\n";
        assert_eq!(loads(script), ["http://s/b/kernel", "http://s/b/initramfs.img"]);
        assert_eq!(loads("kernel\ninitrd --name x\nkernel --name a ${none}/k"), ["/k"]);
    }
}
