//! Which format a file of users has, where that is certain.

use std::path::Path;

use super::alias_file::Syntax;

/// The formats that `user import` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns address,aliases,organisation
    Csv,
    /// A file of virtual(5): ADDRESS TARGETS
    Virtual,
    /// A file of aliases(5): NAME: TARGETS
    Aliases,
}

impl Format {
    /// The syntax of a file of aliases; `None` for CSV.
    pub fn syntax(self) -> Option<Syntax> {
        match self {
            Self::Csv => None,
            Self::Virtual => Some(Syntax::Virtual),
            Self::Aliases => Some(Syntax::Aliases),
        }
    }

    /// What a file is, by its name or else by the first line that can be of one format alone; CSV where neither tells.
    pub fn guess(path: &Path, head: &[u8]) -> Self {
        let by_name = || match path.file_name()?.to_str()? {
            "virtual" => Some(Self::Virtual),
            "aliases" => Some(Self::Aliases),
            name => name.ends_with(".csv").then_some(Self::Csv),
        };
        let by_content = || String::from_utf8_lossy(head).lines().find_map(of_line);
        by_name().or_else(by_content).unwrap_or(Self::Csv)
    }
}

fn of_line(line: &str) -> Option<Format> {
    let is_target = |text: &str| !text.trim().is_empty();
    if line.starts_with(['#', ' ', '\t']) || line.trim().is_empty() {
        return None;
    }
    if line.split(',').any(|column| column.trim().eq_ignore_ascii_case("address")) {
        return Some(Format::Csv);
    }
    if let Some((address, targets)) = line.split_once(char::is_whitespace)
        && address.contains('@')
        && !address.contains([',', ':'])
        && is_target(targets)
    {
        return Some(Format::Virtual);
    }
    let (name, targets) = line.split_once(':')?;
    (!name.contains(['@', ',']) && is_target(targets)).then_some(Format::Aliases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_guessed_where_it_is_certain() {
        for (path, head, format) in [
            ("/etc/aliases", "", Format::Aliases),
            ("/etc/postfix/virtual", "address,aliases\n", Format::Virtual),
            ("users.csv", "root: alice\n", Format::Csv),
            ("-", "# people\n\naddress,aliases\nalice@acme.example,\n", Format::Csv),
            ("-", "Address\n", Format::Csv),
            ("file", "# See man 5 virtual\n\na.martin@acme.example\talice@host.internal\n", Format::Virtual),
            ("file", "acme.example  anything\n@acme.example alice@host.internal\n", Format::Virtual),
            ("file", "# See man 5 aliases\npostmaster:    root\n", Format::Aliases),
            ("file", "\"john doe\": john\n", Format::Aliases),
            ("file", "   alice@acme.example bob@acme.example\n", Format::Csv),
            ("file", "alice@acme.example\n", Format::Csv),
            ("file", "alice@acme.example, bob\n", Format::Csv),
            ("file", "boss:\n", Format::Csv),
            ("file", "", Format::Csv),
        ] {
            assert_eq!(Format::guess(Path::new(path), head.as_bytes()), format, "{path} {head:?}");
        }
    }
}
