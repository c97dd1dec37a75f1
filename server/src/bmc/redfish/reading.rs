//! What a Redfish service measures, and what is in its event log.
use super::{http::Service, items, link, members};
use crate::bmc::BmcError;
use pilotlight_types::api::{LogEntry, Sensor};
use serde_json::Value;

/// How many resources are fetched one by one where a collection has only links.
const MOST: usize = 64;
/// How many pages of a log are read.
const PAGES: usize = 20;

/// Every sensor of the system's chassis.
pub(super) async fn sensors(service: &Service, system: &Value) -> Result<Vec<Sensor>, BmcError> {
    let mut sensors = Vec::new();
    for path in items(&system["Links"]["Chassis"]).filter_map(link).take(4) {
        let chassis = service.get(path).await?.json;
        // The older two tables in one request each, or the newer collection.
        let tables = ["Thermal", "Power"].map(|table| link(&chassis[table]));
        for path in tables.into_iter().flatten() {
            sensors.extend(table(&optional(service, path).await?));
        }
        if tables == [None, None]
            && let Some(path) = link(&chassis["Sensors"])
        {
            let list = optional(service, path).await?;
            for member in members(&list).take(MOST) {
                sensors.extend(one(&whole(service, member).await?));
            }
        }
    }
    Ok(sensors)
}

/// A resource, or nothing where there is none: links that lead nowhere are common.
async fn optional(service: &Service, path: &str) -> Result<Value, BmcError> {
    match service.get(path).await {
        Ok(answer) => Ok(answer.json),
        Err(BmcError::Unsupported(_)) => Ok(Value::Null),
        Err(other) => Err(other),
    }
}

/// A member of a collection: what is there, or what its link leads to.
async fn whole(service: &Service, member: &Value) -> Result<Value, BmcError> {
    match (member.get("Id"), link(member)) {
        (None, Some(path)) => optional(service, path).await,
        _ => Ok(member.clone()),
    }
}

/// The sensors of `Thermal` or `Power`.
fn table(value: &Value) -> Vec<Sensor> {
    let columns = [
        ("Temperatures", "ReadingCelsius", Some("Cel")),
        ("Fans", "Reading", None),
        ("Voltages", "ReadingVolts", Some("V")),
        ("PowerControl", "PowerConsumedWatts", Some("W")),
        ("PowerSupplies", "LastPowerOutputWatts", Some("W")),
    ];
    let mut found = Vec::new();
    for (list, reading, unit) in columns {
        for row in items(&value[list]).filter(|row| row["Status"]["State"] != "Absent") {
            let unit = unit.map(str::to_owned).or_else(|| row["ReadingUnits"].as_str().map(str::to_owned));
            let name = row["Name"].as_str().or_else(|| row["FanName"].as_str()).unwrap_or(list);
            found.push(sensor(name, row[reading].as_f64(), unit, row));
        }
    }
    found
}

/// A resource of the type Sensor.
fn one(value: &Value) -> Option<Sensor> {
    let name = value["Name"].as_str()?;
    let unit = value["ReadingUnits"].as_str().map(str::to_owned);
    Some(sensor(name, value["Reading"].as_f64(), unit, value))
}

fn sensor(name: &str, value: Option<f64>, unit: Option<String>, row: &Value) -> Sensor {
    Sensor {
        name: short(name, 64),
        value,
        unit: unit.map(|unit| short(&unit, 16)).filter(|_| value.is_some()),
        health: health(&row["Status"]["Health"]).to_owned(),
    }
}

/// `OK`, `Warning`, `Critical` as our words.
fn health(value: &Value) -> &'static str {
    match value.as_str() {
        Some("OK") => "ok",
        Some("Warning") => "warning",
        Some("Critical") => "critical",
        _ => "unknown",
    }
}

/// The logs that say what happened to a machine, the most telling first.
const LOGS: [&str; 5] = ["SEL", "Sel", "EventLog", "IML", "Log1"];

/// The newest entries of the event log, oldest first.
pub(super) async fn log(service: &Service, system: &Value, most: usize) -> Result<Vec<LogEntry>, BmcError> {
    let manager = match items(&system["Links"]["ManagedBy"]).find_map(link) {
        Some(path) => optional(service, path).await?,
        None => Value::Null,
    };
    let mut services: Vec<String> = Vec::new();
    for of in [system, &manager] {
        if let Some(path) = link(&of["LogServices"]) {
            let list = optional(service, path).await?;
            services.extend(members(&list).filter_map(link).map(str::to_owned));
        }
    }
    let rank = |path: &String| {
        LOGS.iter().position(|name| path.trim_end_matches('/').ends_with(&format!("/{name}")))
    };
    services.sort_by_key(|path| rank(path).unwrap_or(LOGS.len()));
    let Some(first) = services.first() else {
        return Err(BmcError::Unsupported("it has no event log".to_owned()));
    };
    let about = service.get(first).await?.json;
    let mut next = link(&about["Entries"]).map(str::to_owned);
    let mut entries = Vec::new();
    for _ in 0..PAGES {
        let Some(path) = next.take() else { break };
        let page = service.get(&path).await?.json;
        let links = members(&page).filter(|member| member.get("Id").is_none()).count();
        // Where there are only links, the end of the list is what can be looked at.
        let skip = links.saturating_sub(MOST);
        for member in members(&page).skip(skip) {
            entries.extend(entry(&whole(service, member).await?));
        }
        next = page["Members@odata.nextLink"]
            .as_str()
            .or_else(|| page["@odata.nextLink"].as_str())
            .map(str::to_owned);
    }
    // Some have the newest first.
    entries.sort_by(|a, b| (a.at, number(&a.id), &a.id).cmp(&(b.at, number(&b.id), &b.id)));
    entries.drain(..entries.len().saturating_sub(most));
    Ok(entries)
}

fn number(id: &str) -> Option<u64> {
    id.parse().ok()
}

fn entry(value: &Value) -> Option<LogEntry> {
    let id = value["Id"].as_str()?;
    let text = value["Message"].as_str().or_else(|| value["MessageId"].as_str()).unwrap_or("(no words)");
    Some(LogEntry {
        id: short(id, 64),
        at: value["Created"].as_str().and_then(|text| text.parse().ok()),
        severity: health(&value["Severity"]).to_owned(),
        message: short(text, 500),
    })
}

/// A text of the BMC within bounds, on one line.
fn short(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_older_tables_have_a_row_for_each_thing_that_is_there() {
        let thermal = json!({
            "Temperatures": [{"Name": "CPU1", "ReadingCelsius": 47, "Status": {"Health": "OK"}},
                             {"Name": "CPU2", "Status": {"State": "Absent"}}],
            "Fans": [{"FanName": "Fan 1", "Reading": 4200, "ReadingUnits": "RPM", "Status": {"Health": "Critical"}}],
        });
        let rows = table(&thermal);
        let said: Vec<_> =
            rows.iter().map(|s| (s.name.as_str(), s.value, s.unit.as_deref(), s.health.as_str())).collect();
        assert_eq!(
            said,
            [("CPU1", Some(47.0), Some("Cel"), "ok"), ("Fan 1", Some(4200.0), Some("RPM"), "critical")]
        );
        for odd in [json!(null), json!([]), json!({"Fans": 7}), json!({"Fans": [7, null]})] {
            drop(table(&odd));
        }
    }

    #[test]
    fn an_entry_is_read_within_bounds() {
        let read = entry(&json!({"Id": "7", "Created": "2026-11-30T10:00:00+01:00", "Severity": "Critical", "Message": "a\nb"})).unwrap();
        assert_eq!(
            (read.id.as_str(), read.severity.as_str(), read.message.as_str()),
            ("7", "critical", "a b")
        );
        assert_eq!(read.at.unwrap().to_string(), "2026-11-30T09:00:00.000Z");
        assert_eq!(entry(&json!({"Message": "no id"})), None);
    }
}
