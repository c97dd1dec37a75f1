//! Tables for terminals.
use crate::domain::diff::plain;

/// Prints rows under headings, each column as wide as it must be.
pub(super) fn print<const N: usize>(headings: [&str; N], rows: &[[String; N]]) {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))).collect();
    let mut widths = headings.map(width);
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, wide)| format!("{cell}{}", " ".repeat(wide - width(cell).min(wide))));
        println!("{}", padded.collect::<Vec<_>>().join("   ").trim_end());
    };
    line(headings);
    for row in &rows {
        line(row.each_ref().map(String::as_str));
    }
}

/// How many columns a text takes: names, numbers and English, one for each character.
fn width(text: &str) -> usize {
    text.chars().count()
}
