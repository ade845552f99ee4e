//! Tables: columns as wide as their widest cell.

use std::fmt;

/// A table whose first row is its head. A column in which nothing stands below the head is left out.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Put before each row.
    indent: &'static str,
}

impl Table {
    /// Makes a table that has only its head.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(ToString::to_string).collect()], indent: "" }
    }

    /// Puts `indent` before each row.
    pub(crate) fn indented(self, indent: &'static str) -> Self {
        Self { indent, ..self }
    }

    /// Adds a row, with as many cells as the head has.
    pub(crate) fn add<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Says whether there is nothing below the head.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// The columns that are printed, and their widths in characters.
    fn columns(&self) -> Vec<(usize, usize)> {
        let cell = |row: &Vec<String>, column| row.get(column).map_or(0, |cell: &String| cell.chars().count());
        let head_len = self.rows.first().map_or(0, Vec::len);
        let filled = (0..head_len).filter(|&column| self.rows.iter().skip(1).any(|row| cell(row, column) > 0));
        filled.map(|column| (column, self.rows.iter().map(|row| cell(row, column)).max().unwrap_or(0))).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let columns = self.columns();
        for row in &self.rows {
            let cells = columns.iter().map(|&(column, width)| format!("{:width$}", row[column]));
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(f, "{}{}", self.indent, line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_an_empty_one_is_left_out() {
        let mut table = Table::new(&["LINE", "SINCE", "VALUE", "BY"]).indented("  ");
        assert_eq!(table.to_string(), "");
        table.add(["LED".into(), String::new(), "unknown".into(), String::new()]);
        table.add(["BUTTÖN".into(), String::new(), "on".into(), "start".into()]);
        assert_eq!(table.to_string(), "  LINE    VALUE    BY\n  LED     unknown\n  BUTTÖN  on       start\n");
    }
}
