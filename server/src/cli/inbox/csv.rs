//! A CSV file (RFC 4180) of expected machines as documents, and where each field was.
use serde_json::{Map, Value, json};

/// The columns that there may be, and the field of the document that each becomes.
const COLUMNS: [(&str, &str); 10] = [
    ("name", "name"),
    ("serial", "spec.serial"),
    ("uuid", "spec.uuid"),
    ("macs", "spec.macs"),
    ("bmc-mac", "spec.bmcMac"),
    ("rack", "spec.rack"),
    ("unit", "spec.unit"),
    ("class", "spec.class"),
    ("accept", "spec.accept"),
    ("labels", "labels"),
];

/// One machine.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// As a document.
    pub(super) document: Value,
    line: usize,
    /// The field of the document that was at each column of the line.
    places: Vec<(&'static str, usize)>,
}

impl Row {
    /// Where a field of its document was, as `file:line:column`.
    pub(super) fn place(&self, file: &str, path: &str) -> String {
        let at =
            self.places.iter().find(|(field, _)| path == *field || path.starts_with(&format!("{field}[")));
        format!("{file}:{}:{}", self.line, at.map_or(1, |(_, column)| *column))
    }
}

/// A field, and its line and column, from 1.
struct Cell {
    text: String,
    line: usize,
    column: usize,
}

/// The machines of a file; or everything that is wrong in it, each with its place.
pub(super) fn rows(file: &str, text: &str) -> Result<Vec<Row>, Vec<String>> {
    let mut lines = cells(text.strip_prefix('\u{feff}').unwrap_or(text))
        .map_err(|(line, column, why)| vec![format!("{file}:{line}:{column}: {why}")])?;
    if lines.is_empty() {
        return Err(vec![format!("{file}:1:1: a line with the columns' names is expected")]);
    }
    let mut wrongs = Vec::new();
    let mut columns: Vec<(&str, &'static str)> = Vec::new();
    for cell in lines.remove(0) {
        let named = cell.text.trim().to_lowercase().replace(['_', ' '], "-");
        match COLUMNS.into_iter().find(|(name, _)| *name == named) {
            Some(column) if !columns.contains(&column) => columns.push(column),
            found => {
                let known: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
                let why = if found.is_some() { "is here twice" } else { "is no column" };
                let Cell { line, column, .. } = cell;
                wrongs
                    .push(format!("{file}:{line}:{column}: `{named}` {why}: {} are known", known.join(", ")));
            }
        }
    }
    if wrongs.is_empty() && !columns.iter().any(|(name, _)| *name == "name") {
        wrongs.push(format!("{file}:1:1: a column `name` is expected"));
    }
    if !wrongs.is_empty() {
        return Err(wrongs);
    }
    let mut rows = Vec::new();
    for cells in lines {
        let line = cells.first().map_or(0, |cell| cell.line);
        if cells.len() != columns.len() {
            let column = cells.last().map_or(1, |cell| cell.column);
            wrongs.push(format!(
                "{file}:{line}:{column}: {} fields, and {} are expected",
                cells.len(),
                columns.len()
            ));
            continue;
        }
        match row(&columns, cells) {
            Ok(row) => rows.push(row),
            Err((column, why)) => wrongs.push(format!("{file}:{line}:{column}: {why}")),
        }
    }
    if wrongs.is_empty() { Ok(rows) } else { Err(wrongs) }
}

fn row(columns: &[(&str, &'static str)], cells: Vec<Cell>) -> Result<Row, (usize, String)> {
    let (mut name, mut labels, mut spec) = (String::new(), Map::new(), Map::new());
    let mut places = Vec::new();
    let line = cells.first().map_or(1, |cell| cell.line);
    for ((column, field), cell) in columns.iter().zip(cells) {
        let text = cell.text.trim();
        places.push((*field, cell.column));
        let wrong = |why: &str| (cell.column, format!("`{}`: {why}", text.escape_default()));
        if text.is_empty() {
            continue;
        }
        let value = match *column {
            "name" => {
                name = text.to_owned();
                continue;
            }
            "labels" => {
                for pair in text.split([';', ' ']).filter(|pair| !pair.is_empty()) {
                    let (key, value) = pair
                        .split_once('=')
                        .ok_or_else(|| wrong("key=value is expected, with ; between several"))?;
                    labels.insert(key.to_owned(), value.into());
                }
                continue;
            }
            "macs" => text.split([';', ' ']).filter(|mac| !mac.is_empty()).collect(),
            "unit" => text.parse::<u16>().map_err(|_| wrong("a number of a rack unit is expected"))?.into(),
            "accept" => match text.to_lowercase().as_str() {
                "yes" | "true" | "1" => true.into(),
                "no" | "false" | "0" => false.into(),
                _ => return Err(wrong("yes or no is expected")),
            },
            _ => Value::from(text),
        };
        let key = field.trim_start_matches("spec.");
        spec.insert(key.to_owned(), value);
    }
    let document = json!({"kind": "ExpectedMachine", "name": name, "labels": labels, "spec": spec});
    Ok(Row { document, line, places })
}

/// The fields of each line that is not empty; or where a quote is wrong.
fn cells(text: &str) -> Result<Vec<Vec<Cell>>, (usize, usize, &'static str)> {
    let (mut lines, mut cells) = (Vec::new(), Vec::new());
    let (mut line, mut column) = (1, 1);
    let mut cell = Cell { text: String::new(), line, column };
    let (mut quoted, mut closed) = (false, false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let here = (line, column);
        (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                column += 1;
                cell.text.push('"');
            }
            '"' if quoted => (quoted, closed) = (false, true),
            _ if quoted => cell.text.push(c),
            '"' if cell.text.is_empty() && !closed => quoted = true,
            '"' => {
                return Err((
                    here.0,
                    here.1,
                    "a quote stands around the whole field, and is written twice inside",
                ));
            }
            ',' | '\n' => {
                cells.push(std::mem::replace(&mut cell, Cell { text: String::new(), line, column }));
                closed = false;
                if c == '\n' {
                    end(&mut lines, std::mem::take(&mut cells));
                }
            }
            '\r' if rest.peek() == Some(&'\n') => {}
            _ if closed => {
                return Err((here.0, here.1, "a comma or the end of the line is expected after the quote"));
            }
            _ => cell.text.push(c),
        }
    }
    if quoted {
        return Err((cell.line, cell.column, "this quote is not closed"));
    }
    if !cell.text.is_empty() || closed || !cells.is_empty() {
        cells.push(cell);
        end(&mut lines, cells);
    }
    Ok(lines)
}

fn end(lines: &mut Vec<Vec<Cell>>, cells: Vec<Cell>) {
    let blank = |cell: &Cell| cell.text.trim().is_empty();
    if !cells.iter().all(blank) {
        lines.push(cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_list_of_machines_becomes_documents() {
        let text = "\u{feff}Name,serial,MACs,bmc_mac,rack,unit,accept,labels,class,uuid\r\n\
                    n1,ABC1,52:54:00:00:00:01;52:54:00:00:00:02,52:54:00:00:00:03,r1,12,yes,role=worker;zone=a,big,\r\n\
                    \r\n\
                    n2,\"A \"\"B\"\", C\",,,,,no,,,a8098c1a-f86e-11da-bd1a-00112444be1e\n";
        let rows = rows("list.csv", text).unwrap();
        let documents: Vec<&Value> = rows.iter().map(|row| &row.document).collect();
        assert_eq!(
            *documents[0],
            json!({"kind": "ExpectedMachine", "name": "n1", "labels": {"role": "worker", "zone": "a"}, "spec": {
                "serial": "ABC1", "macs": ["52:54:00:00:00:01", "52:54:00:00:00:02"], "bmcMac": "52:54:00:00:00:03",
                "rack": "r1", "unit": 12, "accept": true, "class": "big",
            }})
        );
        assert_eq!(
            documents[1]["spec"],
            json!({"serial": "A \"B\", C", "accept": false, "uuid": "a8098c1a-f86e-11da-bd1a-00112444be1e"})
        );
        assert_eq!(rows[0].place("list.csv", "spec.macs[1]"), "list.csv:2:9");
        assert_eq!(rows[1].place("list.csv", "spec.serial"), "list.csv:4:4");
        assert_eq!(rows[1].place("list.csv", "spec"), "list.csv:4:1");
    }

    #[test]
    fn each_mistake_is_told_with_line_and_column() {
        for (text, words) in [
            ("", "f:1:1: a line with the columns' names"),
            ("serial\nA", "f:1:1: a column `name`"),
            ("name,seril\n", "f:1:6: `seril` is no column"),
            ("name,name\n", "f:1:6: `name` is here twice"),
            ("name,unit\nn1,twelve\n", "f:2:4: `twelve`: a number"),
            ("name,accept\nn1,no\nn2,maybe\n", "f:3:4: `maybe`: yes or no"),
            ("name,labels\nn1,role\n", "f:2:4: `role`: key=value"),
            ("name,rack\nn1\n", "f:2:1: 1 fields, and 2"),
            ("name,rack\nn1,\"r1\n", "f:2:4: this quote is not closed"),
            ("name,rack\nn1,\"r1\"x\n", "f:2:8: a comma or the end"),
            ("name,rack\nn1,r\"1\n", "f:2:5: a quote stands"),
        ] {
            let wrongs = rows("f", text).unwrap_err();
            assert!(wrongs[0].starts_with(words), "{text:?}: {wrongs:?}");
        }
        assert_eq!(rows("f", "name,unit\nn1,x\nn2,y\n").unwrap_err().len(), 2, "all at once");
    }

    proptest! {
        #[test]
        fn no_text_ends_the_program(text in "(name|serial|[a-z,\"\r\n;=]){0,60}") {
            let _ = rows("f", &text);
        }
    }
}
