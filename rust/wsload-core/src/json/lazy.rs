//! One value out of a JSON text, by a path, without reading the rest into memory.

/// A singular query of RFC 9535: `$.a.b[0]['c d']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

impl Path {
    /// Reads a path; the error is the byte at which it cannot be read.
    pub(crate) fn parse(text: &str) -> Result<Self, usize> {
        let mut rest = text.strip_prefix('$').ok_or(0_usize)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            let (step, after) = if let Some(dotted) = rest.strip_prefix('.') {
                let end = dotted.find(['.', '[']).unwrap_or(dotted.len());
                let name = &dotted[..end];
                let plain = |char: char| char.is_alphanumeric() || char == '_';
                if name.is_empty() || !name.chars().all(plain) || name.starts_with(|char: char| char.is_ascii_digit()) {
                    return Err(at + 1);
                }
                (Step::Name(name.to_owned()), &dotted[end..])
            } else if let Some(bracketed) = rest.strip_prefix('[') {
                Self::bracket(bracketed).ok_or(at + 1)?
            } else {
                return Err(at);
            };
            steps.push(step);
            rest = after;
        }
        Ok(Self(steps))
    }

    fn bracket(text: &str) -> Option<(Step, &str)> {
        if let Some(quote) = text.chars().next().filter(|char| matches!(char, '\'' | '"')) {
            let (name, after) = text[1..].split_once(quote)?;
            // Escapes would need a second look at every name: such names are rare.
            return (!name.contains('\\'))
                .then(|| after.strip_prefix(']'))
                .flatten()
                .map(|rest| (Step::Name(name.to_owned()), rest));
        }
        let (index, after) = text.split_once(']')?;
        let canonical = index == "0" || !index.starts_with(['0', '+', '-']);
        canonical.then(|| index.parse().ok()).flatten().map(|index| (Step::Index(index), after))
    }

    /// The JSON text of the value: a string without its quotes, as it is escaped. `None`: there is none, or it is not JSON
    /// as far as it was read.
    pub(crate) fn find<'p>(&self, payload: &'p [u8]) -> Option<&'p [u8]> {
        let value = self.find_value(payload)?;
        Some(value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value))
    }

    /// The JSON text of the value as it stands there.
    pub(crate) fn find_value<'p>(&self, payload: &'p [u8]) -> Option<&'p [u8]> {
        let mut scan = Scan { bytes: payload, at: 0 };
        for step in &self.0 {
            scan.space();
            match step {
                Step::Name(name) => scan.enter_object(name.as_bytes())?,
                Step::Index(index) => scan.enter_array(*index)?,
            }
        }
        scan.space();
        let start = scan.at;
        scan.skip_value(0)?;
        Some(&payload[start..scan.at])
    }
}

/// Deeper texts are not looked into: a server must not choose our stack.
const MAX_DEPTH: u32 = 128;

struct Scan<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Goes to the value of a member.
    fn enter_object(&mut self, name: &[u8]) -> Option<()> {
        self.take(b'{')?;
        loop {
            self.space();
            let start = self.at + 1;
            self.skip_string()?;
            let found = self.bytes.get(start..self.at - 1)? == name;
            self.take(b':')?;
            self.space();
            if found {
                return Some(());
            }
            self.skip_value(0)?;
            self.take(b',')?;
        }
    }

    /// Goes to an element.
    fn enter_array(&mut self, index: usize) -> Option<()> {
        self.take(b'[')?;
        self.space();
        if self.peek()? == b']' {
            return None;
        }
        for _ in 0..index {
            self.space();
            self.skip_value(0)?;
            self.take(b',')?;
        }
        self.space();
        Some(())
    }

    fn skip_string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    fn skip_value(&mut self, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => self.skip_string(),
            open @ (b'{' | b'[') => {
                let close = if open == b'{' { b'}' } else { b']' };
                self.at += 1;
                self.space();
                if self.peek()? == close {
                    self.at += 1;
                    return Some(());
                }
                loop {
                    self.space();
                    if open == b'{' {
                        self.skip_string()?;
                        self.take(b':')?;
                        self.space();
                    }
                    self.skip_value(depth + 1)?;
                    self.space();
                    match self.peek()? {
                        b',' => self.at += 1,
                        byte if byte == close => {
                            self.at += 1;
                            return Some(());
                        }
                        _ => return None,
                    }
                }
            }
            _ => {
                let start = self.at;
                while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
                    self.at += 1;
                }
                (self.at > start).then_some(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(path: &str, text: &str) -> Option<String> {
        Path::parse(path).unwrap().find(text.as_bytes()).map(|found| String::from_utf8_lossy(found).into_owned())
    }

    #[test]
    fn rfc_9535_section_2_3_members_and_elements() {
        let text = r#" { "a": {"b": [1, {"c d": "x\"y"}, [true]]}, "n": -1.5e3, "e": "", "last": null } "#;
        for (path, found) in [
            ("$.n", Some("-1.5e3")),
            ("$.a.b[0]", Some("1")),
            ("$.a.b[1]['c d']", Some("x\\\"y")),
            ("$['a'].b[2][0]", Some("true")),
            ("$.e", Some("")),
            ("$.last", Some("null")),
            ("$.a.b[2]", Some("[true]")),
            ("$.a.b[9]", None),
            ("$.nothing", None),
            ("$.n.b", None),
        ] {
            assert_eq!(find(path, text).as_deref(), found, "{path}");
        }
        assert_eq!(find("$", "42").as_deref(), Some("42"));
        assert_eq!(find("$[0]", "[]"), None);
    }

    #[test]
    fn rfc_9535_section_2_1_what_is_no_path_is_told_with_its_place() {
        for (path, at) in
            [("a", 0), ("$a", 1), ("$.", 2), ("$..a", 2), ("$.1", 2), ("$[01]", 2), ("$['a", 2), ("$[*]", 2)]
        {
            assert_eq!(Path::parse(path), Err(at), "{path}");
        }
    }

    #[test]
    fn a_text_that_is_cut_or_no_json_has_no_value() {
        for text in ["", "{", "{\"a\"", "{\"a\":", "{a:1}", "[1", "nonsense", "{\"b\":1,}"] {
            assert_eq!(find("$.a", text), None, "{text}");
        }
        assert_eq!(find("$.b", &format!("{{\"a\":{}1", "[".repeat(100_000))), None);
    }

    proptest! {
        /// An independent reader says the same.
        #[test]
        fn serde_json_finds_the_same(a in ".{0,8}", b: i64, c in proptest::collection::vec(any::<i32>(), 1..5)) {
            let value = serde_json::json!({"first": {"x": a}, "b": b, "c": c});
            let text = value.to_string();
            prop_assert_eq!(find("$.b", &text), Some(b.to_string()));
            prop_assert_eq!(find("$.c[0]", &text), Some(c[0].to_string()));
            let quoted = serde_json::to_string(&a).unwrap();
            prop_assert_eq!(find("$.first.x", &text), Some(quoted[1..quoted.len() - 1].to_owned()));
        }

        #[test]
        fn any_bytes_are_looked_through(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Path::parse("$.a[1].b").unwrap().find(&bytes);
        }
    }
}
