//! Tables in Markdown.

/// One table, row by row.
#[derive(Debug)]
pub struct Table {
    columns: usize,
    text: String,
}

impl Table {
    /// A table under a heading.
    pub fn new(heading: &str, columns: &[&str]) -> Self {
        let rule = vec!["---"; columns.len()];
        let text = format!("\n## {heading}\n\n| {} |\n| {} |\n", columns.join(" | "), rule.join(" | "));
        Self { columns: columns.len(), text }
    }

    /// One more row; cells that are missing stay empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.columns, String::new());
        eprintln!("  {}", cells.join("  "));
        self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }

    /// Prints it.
    pub fn print(self) {
        println!("{}", self.text);
    }
}

/// How many times `other` fits into `ours`, where both are known.
pub fn ratio(ours: Option<f64>, other: Option<f64>) -> String {
    match (ours, other) {
        (Some(ours), Some(other)) if other > 0.0 => format!("{:.2}", ours / other),
        _ => "-".to_owned(),
    }
}
