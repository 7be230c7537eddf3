//! Values of JSON texts that nobody is to see.

use serde_json::Value;

use super::{Path, Query};

/// In the stead of a text of which it cannot be said where the values stand.
const WHOLE: &[u8] = b"***redacted***";

/// The text with every value that a query finds replaced by `"***QUERY***"`; `None`: there is none, or it is no JSON.
/// `cut`: the text goes on beyond its end, so that it cannot be read and must go as a whole.
pub fn hide(queries: &[Query], text: &[u8], cut: bool) -> Option<Vec<u8>> {
    if queries.is_empty() {
        return None;
    }
    let Ok(value) = serde_json::from_slice::<Value>(text) else {
        let begins = text.trim_ascii_start().first().is_some_and(|first| matches!(first, b'{' | b'['));
        return (cut && begins).then(|| WHOLE.to_vec());
    };
    let mut found = Vec::new();
    for query in queries {
        for location in query.general.query_located(&value).locations() {
            let place = Path::parse(&location.to_string()).ok().and_then(|path| path.find_value(text));
            let Some(place) = place else { return Some(WHOLE.to_vec()) };
            let start = place.as_ptr() as usize - text.as_ptr() as usize;
            found.push((start, start + place.len(), query));
        }
    }
    if found.is_empty() {
        return None;
    }
    // What lies around another comes before it.
    found.sort_by_key(|(start, end, _)| (*start, usize::MAX - *end));
    let mut out = Vec::with_capacity(text.len());
    let mut past = 0;
    for (start, end, query) in found {
        if start >= past {
            out.extend_from_slice(&text[past..start]);
            out.extend_from_slice(mark(query).to_string().as_bytes());
            past = end;
        }
    }
    out.extend_from_slice(&text[past..]);
    // A name that stands twice in an object has a second value.
    Some(if is_hidden(queries, &out) { out } else { WHOLE.to_vec() })
}

fn mark(query: &Query) -> Value {
    Value::String(format!("***{}***", query.text()))
}

fn is_hidden(queries: &[Query], text: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return false };
    let marks: Vec<Value> = queries.iter().map(mark).collect();
    queries.iter().all(|query| query.general.query(&value).iter().all(|found| marks.contains(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(queries: &[&str], text: &str, cut: bool) -> Option<String> {
        let queries: Vec<Query> = queries.iter().map(|text| Query::parse(text).unwrap()).collect();
        hide(&queries, text.as_bytes(), cut).map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for (queries, text, out) in [
            (
                &["$.token"][..],
                r#"{ "id":1,  "token" : "a\"b", "x": 1.50}"#,
                r#"{ "id":1,  "token" : "***$.token***", "x": 1.50}"#,
            ),
            (
                &["$..pin"],
                r#"[{"pin": 1}, {"a": {"pin": [2, 3]}}]"#,
                r#"[{"pin": "***$..pin***"}, {"a": {"pin": "***$..pin***"}}]"#,
            ),
            (&["$.a.b", "$.a"], r#"{"a": {"b": 1}}"#, r#"{"a": "***$.a***"}"#),
            (&["$['it''s']", "$.x"], r#"{"x": 1}"#, r#"{"x": "***$.x***"}"#),
            (
                &[r#"$.users[?@.admin == true].key"#],
                r#"{"users": [{"key": 1}, {"admin": true, "key": 2}]}"#,
                r#"{"users": [{"key": 1}, {"admin": true, "key": "***$.users[?@.admin == true].key***"}]}"#,
            ),
        ]
        .into_iter()
        .filter(|(queries, ..)| queries.iter().all(|text| Query::parse(text).is_ok()))
        {
            assert_eq!(hidden(queries, text, false).as_deref(), Some(out));
        }
    }

    #[test]
    fn nothing_to_hide_is_told_and_what_cannot_be_read_is_hidden_whole() {
        assert_eq!(hidden(&[], r#"{"a": 1}"#, true), None);
        assert_eq!(hidden(&["$.token"], r#"{"a": 1}"#, false), None);
        assert_eq!(hidden(&["$.token"], "no JSON, not even when cut", true), None);
        assert_eq!(hidden(&["$.token"], r#"{"token": "s3c"#, false), None);
        let whole = Some("***redacted***".to_owned());
        assert_eq!(hidden(&["$.token"], r#"{"token": "s3c"#, true), whole);
        assert_eq!(hidden(&["$.token"], r#"{"token": "a", "token": "b"}"#, false), whole);
        assert_eq!(hidden(&["$.token"], r#"{"t\u006fken": "a"}"#, false), whole);
    }
}
