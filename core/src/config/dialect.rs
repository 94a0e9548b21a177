//! The dialect of `~/.databrickscfg`.
//!
//! The file is written by the Databricks CLI, so it is read the way the CLI's own reader does (Go, `ini.v1`), byte
//! for byte where a secret is at stake: `password = %Y#X` keeps its `#`. Two differences, both on purpose: a backslash
//! at the end of a line belongs to the value (a secret may end in one), and a broken line outside the chosen section
//! hurts nobody.

/// One section.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    /// The name between the brackets.
    pub(crate) name: String,
    /// Keys and values in the order of the file; the last one of a key wins.
    pub(crate) pairs: Vec<(String, String)>,
    /// The number of the first line that is neither.
    pub(crate) broken_line: Option<usize>,
}

impl Section {
    /// The value of a key. An empty one counts as unset.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.pairs
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// Splits a file into sections. Keys before the first header belong to `DEFAULT`; sections of one name are merged.
pub(crate) fn parse(text: &str) -> Vec<Section> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut sections = vec![Section {
        name: "DEFAULT".to_owned(),
        ..Section::default()
    }];
    // Below a header without its bracket nothing can be attributed to anybody.
    let mut current = Some(0);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            current = rest
                .rfind(']')
                .map(|end| position(&mut sections, &rest[..end]));
            continue;
        }
        let Some(section) = current.map(|index| &mut sections[index]) else {
            continue;
        };
        match key_and_value(line) {
            Some((key, value)) if !key.trim().is_empty() => section
                .pairs
                .push((key.trim().to_owned(), value_of(value).to_owned())),
            _ => section.broken_line = section.broken_line.or(Some(index + 1)),
        }
    }
    sections
}

/// A key may stand in quotes, and may hold a delimiter then.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    for quote in ["\"\"\"", "\"", "`"] {
        if let Some(rest) = line.strip_prefix(quote) {
            let (key, rest) = rest.split_once(quote)?;
            return Some((key, rest.split_once(['=', ':'])?.1));
        }
    }
    line.split_once(['=', ':'])
}

fn position(sections: &mut Vec<Section>, name: &str) -> usize {
    if let Some(index) = sections.iter().position(|section| section.name == name) {
        return index;
    }
    sections.push(Section {
        name: name.to_owned(),
        ..Section::default()
    });
    sections.len() - 1
}

fn value_of(text: &str) -> &str {
    let text = text.trim();
    for quote in ["\"\"\"", "`"] {
        if let Some(inner) = text.strip_prefix(quote)
            && let Some(end) = inner.rfind(quote)
        {
            return &inner[..end];
        }
    }
    let comment = text.find(" #").or_else(|| text.find(" ;"));
    let text = comment.map_or(text, |start| text[..start].trim());
    ['"', '\'']
        .into_iter()
        .find_map(|quote| {
            let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
            (!inner.contains(quote)).then_some(inner)
        })
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{parse, value_of};

    #[test]
    fn values_follow_the_dialect() {
        for (written, read) in [
            (" plain ", "plain"),
            ("\"quoted\"", "quoted"),
            ("'quoted'", "quoted"),
            ("\"", "\""),
            ("\"a\"b\"", "\"a\"b\""),
            ("\"open", "\"open"),
            ("x # note", "x"),
            ("x ; note", "x"),
            ("%Y#X$Z", "%Y#X$Z"),
            ("a;b", "a;b"),
            (
                "x\t# kept: only a blank starts a note",
                "x\t# kept: only a blank starts a note",
            ),
            ("ends in \\", "ends in \\"),
            ("%(other)s", "%(other)s"),
            ("`a # b`", "a # b"),
            ("\"\"\"a # b\"\"\"", "a # b"),
            ("a=b:c", "a=b:c"),
            ("", ""),
        ] {
            assert_eq!(value_of(written), read, "{written:?}");
        }
    }

    #[test]
    fn keys_follow_the_dialect() {
        for (line, key, value) in [
            ("a b = c", "a b", "c"),
            ("\"a=b\" = c", "a=b", "c"),
            ("`a` : c = d", "a", "c = d"),
            ("\"\"\"a\"\"\" = c", "a", "c"),
            ("a : c = d", "a", "c = d"),
        ] {
            let sections = parse(line);
            assert_eq!(sections[0].get(key), Some(value), "{line}");
        }
        assert_eq!(parse("\"open = c")[0].broken_line, Some(1));
    }

    #[test]
    fn sections_follow_the_dialect() {
        let sections = parse(
            "\u{feff}early = 1\n# note\n; note\n[a.b]\r\nhost: https://x:8443/\r\nKEY = 1\nkey = 2\nkey = 3\n\
             [DEFAULT]\nlate = 2\n[a.b]\nmore = 4\nempty =\n[broken\nlost = 1\n[c]\nno delimiter here\n= no key\n",
        );
        let names: Vec<&str> = sections
            .iter()
            .map(|section| section.name.as_str())
            .collect();
        assert_eq!(names, ["DEFAULT", "a.b", "c"]);
        assert_eq!(sections[0].get("early"), Some("1"));
        assert_eq!(sections[0].get("late"), Some("2"));
        assert_eq!(sections[1].get("host"), Some("https://x:8443/"));
        assert_eq!(sections[1].get("KEY"), Some("1"));
        assert_eq!(sections[1].get("key"), Some("3"), "the last one wins");
        assert_eq!(
            sections[1].get("more"),
            Some("4"),
            "sections of one name are merged"
        );
        assert_eq!(sections[1].get("empty"), None);
        assert_eq!(sections[1].broken_line, None);
        assert_eq!(sections[2].broken_line, Some(17));
        assert!(sections.iter().all(|section| section.get("lost").is_none()));
    }
}
