//! The versions of Butane's variants.
use super::{Located, Node, Yaml, place};

/// One version of one variant of Butane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) variant: &'static str,
    pub(super) version: &'static str,
    /// The second number of the version.
    revision: u8,
    /// The minor of the Ignition spec that it makes.
    pub(super) minor: u8,
}

const fn dialect(variant: &'static str, version: &'static str, revision: u8, minor: u8) -> Dialect {
    Dialect { variant, version, revision, minor }
}

/// All of them, each variant's oldest first.
pub(super) const DIALECTS: [Dialect; 10] = [
    dialect("fcos", "1.0.0", 0, 0),
    dialect("fcos", "1.1.0", 1, 1),
    dialect("fcos", "1.2.0", 2, 2),
    dialect("fcos", "1.3.0", 3, 2),
    dialect("fcos", "1.4.0", 4, 3),
    dialect("fcos", "1.5.0", 5, 4),
    dialect("fcos", "1.6.0", 6, 5),
    dialect("fcos", "1.7.0", 7, 6),
    dialect("flatcar", "1.0.0", 0, 3),
    dialect("flatcar", "1.1.0", 1, 4),
];

impl Dialect {
    /// Whether it is Fedora CoreOS's, of version 1.`revision`.0 or later.
    pub(super) fn is_fcos(self, revision: u8) -> bool {
        self.variant == "fcos" && self.revision >= revision
    }

    /// What a text says that it is.
    pub(super) fn of(root: &Node) -> Result<Self, Vec<Located>> {
        if !matches!(root.value, Yaml::Map(_)) {
            return Err(vec![Located::new(root.pos, format!("Butane is a map, this is {}", root.kind()))]);
        }
        let header = |name: &str| match root.get(name) {
            Some(node) => node.text().map(|text| (node.pos, text)).ok_or_else(|| {
                Located::new(node.pos, format!("`{name}` is a text, this is {}", node.kind()))
            }),
            None => Err(Located::new(
                root.pos,
                format!("`{name}` is missing, as in `variant: fcos`, `version: 1.5.0`"),
            )),
        };
        let (variant, version) = match (header("variant"), header("version")) {
            (Ok(variant), Ok(version)) => (variant, version),
            (variant, version) => return Err([variant.err(), version.err()].into_iter().flatten().collect()),
        };
        let versions: Vec<&Self> = DIALECTS.iter().filter(|dialect| dialect.variant == variant.1).collect();
        if versions.is_empty() {
            let message =
                format!("the variant `{}` is not supported: fcos, flatcar", place::shown(variant.1));
            return Err(vec![Located::new(variant.0, message)]);
        }
        versions.iter().find(|dialect| dialect.version == version.1).map(|found| **found).ok_or_else(|| {
            let known: Vec<&str> = versions.iter().map(|dialect| dialect.version).collect();
            let message = format!(
                "the version `{}` of the variant `{}` is not supported: {}",
                place::shown(version.1),
                variant.1,
                known.join(", ")
            );
            vec![Located::new(version.0, message)]
        })
    }
}
