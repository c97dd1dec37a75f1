use super::*;
use proptest::prelude::*;

fn one(content: &str) -> (Option<u8>, Option<String>, String) {
    let mut all = read(content.as_bytes());
    let Message { severity, tag, text } = all.next().unwrap_or_else(|| panic!("no line in {content:?}"));
    assert_eq!(all.next(), None, "{content:?}");
    (severity, tag, text)
}

fn line(severity: impl Into<Option<u8>>, tag: &str, text: &str) -> (Option<u8>, Option<String>, String) {
    (severity.into(), Some(tag.to_owned()).filter(|tag| !tag.is_empty()), text.to_owned())
}

#[test]
fn every_make_of_line_is_read() {
    for (content, expected) in [
        // iPXE's `echo`, without and with host and domain name.
        ("<14>ipxe: Pilotlight: n1 boots", line(6, "ipxe", "Pilotlight: n1 boots")),
        ("<14>n1.rack.example ipxe: ok", line(6, "ipxe", "ok")),
        ("<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", line(5, "", "Feb  5 17:32:18 10.0.0.99 Use the BFG!")),
        ("<34>Oct 11 22:14:15 mymachine su: 'su root' failed", line(2, "su", "'su root' failed")),
        ("<30>Nov 23 09:31:24 n1 dracut-cmdline[211]: dracut-059", line(6, "dracut-cmdline", "dracut-059")),
        ("<6>kernel: a: b", line(6, "kernel", "a: b")),
        (
            "<165>1 2003-10-11T22:14:15.003Z host.example evntslog - ID47 [x@32473 a=\"]\\\"\" b=\"\"][y@1 c=\"d\"] \u{feff}An event",
            line(5, "evntslog", "An event"),
        ),
        ("<0>1 - - - - - -", line(0, "", "")),
        ("<34>1 2003-10-11T22:14:15.003Z h su - ID47 - 'su root' failed", line(2, "su", "'su root' failed")),
        // netconsole: bare, extended, with the release, with a dictionary.
        ("[    1.234567] e1000e: eth0 up\n", line(None, "", "[    1.234567] e1000e: eth0 up")),
        (
            "3,416,1758426,-;i8042: no controller\n SUBSYSTEM=acpi\n DEVICE=+acpi:x\n",
            line(3, "kernel", "i8042: no controller"),
        ),
        ("6.12.0-1,12,444,501151268,-,caller=T1;net: ok", line(4, "kernel", "net: ok")),
        // Nothing of this is a header.
        ("<192>x", line(None, "", "<192>x")),
        ("<14", line(None, "", "<14")),
        ("plain; text", line(None, "", "plain; text")),
    ] {
        if expected.2.is_empty() {
            assert_eq!(read(content.as_bytes()).count(), 0, "{content}");
        } else {
            assert_eq!(one(content), expected, "{content}");
        }
    }
}

#[test]
fn nothing_that_a_terminal_obeys_is_kept() {
    assert_eq!(one("<14>ipxe: \u{1b}[1;37mbold\u{1b}[0m \u{7}\ttab\r").2, "bold   tab");
    assert_eq!(one("a\u{1b}]0;title\u{7}b").2, "a]0;title b");
    assert_eq!(one("a\u{202e}b\u{9b}31mc").2, "a b 31mc");
    assert_eq!(read(b"\xff\xfe<").next().unwrap().text, "\u{fffd}\u{fffd}<");
}

#[test]
fn lines_are_told_apart_and_cut_to_size() {
    let all: Vec<_> = read(b"<14>ipxe: one\ntwo\n\nthree").map(|line| (line.tag, line.text)).collect();
    let ipxe = || Some("ipxe".to_owned());
    assert_eq!(all, [(ipxe(), "one".into()), (ipxe(), "two".into()), (ipxe(), "three".into())]);
    assert_eq!(read("x\n".repeat(1000).as_bytes()).count(), MOST_LINES);
    let long = "ä".repeat(LONGEST);
    assert_eq!(one(&long).2.len(), LONGEST);
    assert_eq!(one(&format!("{}{}", "a", long)).2.len(), LONGEST - 1, "no half of a character");
}

proptest! {
    #[test]
    fn any_bytes_give_bounded_printable_lines(content in prop::collection::vec(any::<u8>(), 0..4000)) {
        for message in read(&content) {
            prop_assert!(!message.text.is_empty() && message.text.len() <= LONGEST);
            prop_assert!(!message.text.chars().any(char::is_control));
            prop_assert!(message.tag.is_none_or(|tag| tag.len() <= 48 && !tag.chars().any(char::is_control)));
        }
    }

    #[test]
    fn anything_after_a_header_comes_through(said in "[ -~]{0,200}x") {
        for head in ["<14>ipxe: ", "<34>Oct 11 22:14:15 h su[1]: ", "<34>1 - h su - - - "] {
            prop_assert_eq!(one(&format!("{head}{said}")).2, said.trim_end());
        }
    }
}
