//! What a machine gets at its next boot, as a value: two of them can be compared, and what differs be shown.
use super::{delivery, diff};
use pilotlight_types::{Mac, api::BootPart, resource::Name};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Write, net::IpAddr, sync::Arc};

/// All that a machine gets at its next boot and that is not made anew each time, as ids and one-time tokens are.
#[derive(Debug, Clone)]
pub struct NextBoot {
    /// What it is to get, in one sentence.
    pub answer: String,
    /// What its firmware is told first, and what iPXE is told after that.
    pub steps: Vec<String>,
    /// What DHCP says, one thing in each line.
    pub dhcp: Vec<String>,
    /// The script, where there is one.
    pub script: String,
    /// The files of the image, by what they are.
    pub image: Vec<String>,
    /// The secrets of its config, and where their values are.
    pub secrets: Vec<String>,
    /// What Ignition gets, with masks for secrets.
    pub config: Config,
}

/// A profile, and the config that it makes for a machine.
pub type Layer = (Name, Arc<Value>);

/// What Ignition gets.
#[derive(Debug, Clone)]
pub enum Config {
    /// It is not started.
    None,
    /// The configs of the profile's layers, lowest first, and the name that the host is given.
    Layers(Vec<Layer>, Name),
    /// They cannot be made, so the machine waits: why.
    Broken(String),
}

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Broken(one), Self::Broken(other)) => one == other,
            (Self::Layers(one, host), Self::Layers(other, other_host)) => {
                // Who wrote a config is not part of it.
                let same = |(one, other): (&Layer, &Layer)| Arc::ptr_eq(&one.1, &other.1) || one.1 == other.1;
                host == other_host && one.len() == other.len() && one.iter().zip(other).all(same)
            }
            _ => false,
        }
    }
}

impl PartialEq for NextBoot {
    /// Whether the machine gets the same. The sentence is for people.
    fn eq(&self, other: &Self) -> bool {
        self.steps == other.steps
            && self.dhcp == other.dhcp
            && self.script == other.script
            && self.image == other.image
            && self.secrets == other.secrets
            && self.config == other.config
    }
}

/// Differences of configs that were shown already: thousands of machines share them.
#[derive(Debug, Default)]
pub struct Shown(BTreeMap<(usize, usize), Seen>);

/// What differs, and the two configs: while those are held, no others have their places in memory.
type Seen = (Vec<String>, [Option<Arc<Value>>; 2]);

impl NextBoot {
    /// What differs in `after`, part by part.
    pub fn parts(&self, after: &Self, shown: &mut Shown) -> Vec<BootPart> {
        let mut parts = Vec::new();
        let mut add = |part: String, diff: Vec<String>| {
            if !diff.is_empty() {
                parts.push(BootPart { part, diff });
            }
        };
        let lines = |one: &[String], other: &[String]| diff::lines(&joined(one), &joined(other));
        add("decision".into(), lines(&self.steps, &after.steps));
        add("dhcp".into(), lines(&self.dhcp, &after.dhcp));
        add("script".into(), diff::lines(&self.script, &after.script));
        add("image".into(), lines(&self.image, &after.image));
        add("secrets".into(), lines(&self.secrets, &after.secrets));
        if let (Config::Broken(_), _) | (_, Config::Broken(_)) = (&self.config, &after.config) {
            let why = |config: &Config| match config {
                Config::Broken(why) => format!("the config cannot be made, so the machine waits: {why}\n"),
                Config::Layers(..) => "a config\n".to_owned(),
                Config::None => String::new(),
            };
            add("ignition".into(), diff::lines(&why(&self.config), &why(&after.config)));
            return parts;
        }
        if let (Config::None, Config::Layers(..)) | (Config::Layers(..), Config::None) =
            (&self.config, &after.config)
        {
            // A whole config is no difference to read: it is named, and has a hash.
            add("ignition".into(), diff::lines(&self.config.named(), &after.config.named()));
        } else if self.config != after.config {
            let (one, other) = (self.config.layers(), after.config.layers());
            let host = |config: &Config| match config {
                Config::Layers(_, host) => format!("/etc/hostname: {host}\n"),
                _ => String::new(),
            };
            add("ignition".into(), diff::lines(&host(&self.config), &host(&after.config)));
            let order = |layers: &[Layer]| {
                layers.iter().fold(String::new(), |text, (name, _)| text + name.as_str() + "\n")
            };
            add("ignition layers".into(), diff::lines(&order(one), &order(other)));
            let mut names: Vec<&Name> = Vec::new();
            for (name, _) in one.iter().chain(other) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            for name in names {
                let of = |layers: &[Layer]| {
                    layers.iter().find(|(layer, _)| layer == name).map(|(_, config)| config.clone())
                };
                add(format!("ignition {name}"), shown.diff(of(one), of(other)));
            }
        }
        parts
    }
}

impl Config {
    /// Why it cannot be made, if it cannot.
    pub fn broken(&self) -> Option<&str> {
        if let Self::Broken(why) = self { Some(why) } else { None }
    }

    /// The layers by name, each with a hash of what people may see of it.
    fn named(&self) -> String {
        let Self::Layers(layers, host) = self else { return String::new() };
        let hash = |config: &Value| hex::encode(Sha256::digest(readable(config).to_string()));
        let line = |(name, config): &Layer| {
            format!("the config of {name}, {}\n", hash(config).get(..12).unwrap_or_default())
        };
        layers.iter().map(line).fold(format!("/etc/hostname: {host}\n"), |text, line| text + &line)
    }

    fn layers(&self) -> &[Layer] {
        match self {
            Self::Layers(layers, _) => layers,
            Self::None | Self::Broken(_) => &[],
        }
    }
}

impl Shown {
    fn diff(&mut self, before: Option<Arc<Value>>, after: Option<Arc<Value>>) -> Vec<String> {
        let place =
            |config: &Option<Arc<Value>>| config.as_ref().map_or(0, |config| Arc::as_ptr(config).addr());
        let key = (place(&before), place(&after));
        if key.0 == key.1 {
            return Vec::new();
        }
        let seen = self.0.entry(key).or_insert_with(|| {
            let text = |config: &Option<Arc<Value>>| config.as_ref().map(|config| readable(config));
            let mut found = diff::values(text(&before).as_ref(), text(&after).as_ref());
            if found.is_empty() && before != after {
                found.push(diff::ONLY_SECRETS.to_owned());
            }
            (found, [before, after])
        });
        seen.0.clone()
    }
}

/// A config for people: secrets masked, and what is in `data:` URLs as a text.
fn readable(config: &Value) -> Value {
    let mut shown = delivery::masked(config);
    open(&mut shown);
    shown
}

fn open(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(text) = text_of(map) {
                map.shift_remove("source");
                map.shift_remove("compression");
                map.insert("text".into(), text.into());
            }
            map.values_mut().for_each(open);
        }
        Value::Array(items) => items.iter_mut().for_each(open),
        _ => {}
    }
}

fn text_of(map: &Map<String, Value>) -> Option<String> {
    let url = map.get("source")?.as_str()?;
    delivery::text_of(url, map.get("compression").and_then(Value::as_str) == Some("gzip"))
}

/// A machine's own words, by which its boots differ from those of others that get the same.
#[derive(Debug, Clone)]
pub struct Own {
    /// What it is called.
    pub name: String,
    /// Its interfaces.
    pub macs: Vec<Mac>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

impl Own {
    /// The text, with what is the machine's own replaced: what is left is the same for all that get the same.
    pub fn taken_out(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for mac in &self.macs {
            // Nothing else looks like one, and kernels want a number before it.
            text = text.replace(&mac.to_string(), "\u{1}mac\u{1}");
            text = text.replace(&mac.hyphenated().to_string(), "\u{1}mac\u{1}");
        }
        for address in &self.addresses {
            text = replaced(&text, &address.to_string(), "\u{1}address\u{1}");
        }
        replaced(&text, &self.name, "\u{1}name\u{1}")
    }
}

/// The text with each occurrence of a whole word replaced.
fn replaced(text: &str, word: &str, with: &str) -> String {
    if word.is_empty() || !text.contains(word) {
        return text.to_owned();
    }
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | ':');
    let mut found = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) =
            (rest.get(..at).unwrap_or_default(), rest.get(at + word.len()..).unwrap_or_default());
        let whole =
            !before.ends_with(inside) && !after.starts_with(|c: char| inside(c) && !matches!(c, '.' | ':'));
        found.push_str(before);
        found.push_str(if whole { with } else { word });
        rest = after;
    }
    found.push_str(rest);
    found
}

fn joined(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn boot(config: &Value) -> NextBoot {
        let layers = vec![("base".parse().unwrap(), Arc::new(config.clone()))];
        NextBoot {
            answer: "it boots".into(),
            steps: vec!["it boots".into()],
            dhcp: vec!["domain example.com".into()],
            script: "#!ipxe\n".into(),
            image: Vec::new(),
            secrets: Vec::new(),
            config: Config::Layers(layers, "n1".parse().unwrap()),
        }
    }

    #[test]
    fn texts_in_urls_are_shown_as_texts_and_password_hashes_not_at_all() {
        let config = |text: &str, hash: &str| {
            json!({"ignition": {"version": "3.4.0"},
                "passwd": {"users": [{"name": "core", "passwordHash": hash}]},
                "storage": {"files": [{"path": "/etc/motd", "contents": {"compression": "", "source": format!("data:,{text}")}}]}})
        };
        let (before, after) = (boot(&config("a%0Ab%0A", "$6$one")), boot(&config("a%0Ac%0A", "$6$two")));
        assert_ne!(before, after);
        let parts = before.parts(&after, &mut Shown::default());
        assert_eq!(parts.len(), 1, "{parts:?}");
        assert_eq!(parts[0].part, "ignition base");
        let text = parts[0].diff.join("\n");
        assert!(text.contains("-        b\n+        c") && !text.contains("$6$"), "{text}");
        let hidden = before.parts(&boot(&config("a%0Ab%0A", "$6$two")), &mut Shown::default());
        assert_eq!(hidden[0].diff, ["@@ only secrets differ, which are not shown @@"]);
    }

    #[test]
    fn what_is_a_machines_own_is_taken_out_as_whole_words() {
        let own = Own {
            name: "n1".into(),
            macs: vec!["52:54:00:00:00:01".parse().unwrap()],
            addresses: vec!["10.77.0.1".parse().unwrap()],
        };
        let text = own.taken_out("n1 n10 tty-n1 BOOTIF=01-52-54-00-00-00-01 ip=10.77.0.1: 10.77.0.10 n1.");
        assert_eq!(
            text,
            "\u{1}name\u{1} n10 tty-n1 BOOTIF=01-\u{1}mac\u{1} ip=\u{1}address\u{1}: 10.77.0.10 \u{1}name\u{1}."
        );
    }
}
