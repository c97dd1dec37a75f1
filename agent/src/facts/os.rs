//! The kernel and the operating system.
use super::{Live, Tree};
use pilotlight_types::facts::{Kernel, Os, clean};

pub(super) fn kernel(tree: &Tree, live: &Live) -> Kernel {
    Kernel {
        release: tree.value("proc/sys/kernel/osrelease"),
        version: tree.value("proc/sys/kernel/version"),
        architecture: tree.value("proc/sys/kernel/arch").or_else(|| live.architecture()),
    }
}

pub(super) fn os(tree: &Tree) -> Os {
    let text = tree.text("etc/os-release").or_else(|| tree.text("usr/lib/os-release")).unwrap_or_default();
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
        clean(&unquote(value.trim()))
    };
    Os {
        id: field("ID"),
        name: field("NAME"),
        variant_id: field("VARIANT_ID"),
        version_id: field("VERSION_ID"),
        pretty_name: field("PRETTY_NAME"),
    }
}

/// os-release(5): the quoting of shells, with the backslash before `"`, `$`, `` ` `` and itself.
fn unquote(value: &str) -> String {
    let quote = |quote: char| value.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote));
    if let Some(inner) = quote('\'') {
        return inner.to_owned();
    }
    let mut out = String::new();
    let mut chars = quote('"').unwrap_or(value).chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unquoted_as_a_shell_would() {
        assert_eq!(unquote("fedora"), "fedora");
        assert_eq!(unquote("\"Fedora Linux\""), "Fedora Linux");
        assert_eq!(unquote("'it is'"), "it is");
        assert_eq!(unquote(r#""a \"b\" \$c""#), r#"a "b" $c"#);
        assert_eq!(unquote("\""), "\"");
    }
}
