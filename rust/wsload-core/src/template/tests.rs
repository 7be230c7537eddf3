//! What texts are rendered as, and which are no templates.

use proptest::prelude::*;

use super::*;

const CX: RenderContext = RenderContext { iteration: 0, seed: 7, slot: 3, seq: 5, unix_ns: 1_700_000_000_123_456_789 };

fn rendered(text: &str, cx: RenderContext) -> String {
    let mut out = Vec::new();
    Template::compile(text).unwrap().render(&cx, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn placeholders_are_replaced_and_the_rest_stays() {
    assert_eq!(rendered("{{$conn}}/{{ $seq }} at {{$timestamp}}", CX), "3/5 at 1700000000");
    assert_eq!(rendered("{{$sentNs}}", CX), "1700000000123456789");
    assert_eq!(rendered("{{$id}}", CX), (3_u64 << 40 | 5).to_string());
    assert_eq!(rendered(r"\{{$id}} {x} }}", CX), "{{$id}} {x} }}");
    assert!(Template::compile("plain").unwrap().is_static() && !Template::compile("{{$id}}").unwrap().is_static());
}

#[test]
fn random_values_repeat_with_the_seed_and_differ_between_messages_and_places() {
    let text = "{{$randomString(12)}} {{$randomString(12)}}";
    let first = rendered(text, CX);
    assert_eq!(first, rendered(text, CX));
    let (one, other) = first.split_once(' ').unwrap();
    assert!(one != other && one.len() == 12 && one.chars().all(|char| char.is_ascii_alphanumeric()));
    for cx in [RenderContext { seed: 8, ..CX }, RenderContext { slot: 4, ..CX }, RenderContext { seq: 6, ..CX }] {
        assert_ne!(first, rendered(text, cx));
    }
}

#[test]
fn numbers_choices_and_uuids_have_their_shape() {
    let numbers: Vec<i64> =
        (0..500).map(|seq| rendered("{{$randomInt(-2,2)}}", RenderContext { seq, ..CX }).parse().unwrap()).collect();
    assert!((-2..=2).all(|number| numbers.contains(&number)) && numbers.iter().all(|n| (-2..=2).contains(n)));
    let picked = rendered("{{$pick(red, green)}}", CX);
    assert!(picked == "red" || picked == "green");
    let uuid = rendered("{{$uuid}}", CX);
    let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
    assert!(parts == [8, 4, 4, 4, 12] && &uuid[14..15] == "4" && "89ab".contains(&uuid[19..20]), "{uuid}");
}

struct Two;

impl Variables for Two {
    fn value(&self, place: u16) -> Option<&[u8]> {
        [Some(&b"say \"hi\"\n\xc3\xa9 & co\x01"[..]), None][usize::from(place)]
    }
}

#[test]
fn variables_are_filled_in_as_their_surroundings_need_them() {
    let place_of = |name: &str| ["text", "absent"].iter().position(|known| *known == name).map(|at| at as u16);
    let render = |text: &str| {
        let mut out = Vec::new();
        let done = Template::compile_with(text, place_of).unwrap().render_with(&CX, &Two, &mut out);
        done.map(|()| String::from_utf8(out).unwrap())
    };
    assert_eq!(render("<{{text}}>").unwrap(), "<say \"hi\"\n\u{e9} & co\u{1}>");
    assert_eq!(render("<{{ text | json }}>").unwrap(), "<say \\\"hi\\\"\\n\u{e9} & co\\u0001>");
    assert_eq!(render("?q={{text|url}}").unwrap(), "?q=say%20%22hi%22%0A%C3%A9%20%26%20co%01");
    assert_eq!(render("a{{absent}}"), Err(Unset(1)));
    assert_eq!(
        Template::compile_with("{{text|yaml}}", place_of).unwrap_err(),
        TemplateError::Filter { at: 0, name: "yaml".into() }
    );
    assert_eq!(rendered("{{$pick(a|b)}}", CX), "a|b");
}

#[test]
fn made_up_texts_have_their_shape() {
    assert_eq!(rendered("{{$isoTimestamp}}", CX), "2023-11-14T22:13:20.123Z");
    let leap = RenderContext { unix_ns: 951_827_696_000_000_000, ..CX };
    assert_eq!(rendered("{{$isoTimestamp}}", leap), "2000-02-29T12:34:56.000Z");
    assert_eq!(rendered("{{$isoTimestamp}}", RenderContext { unix_ns: 0, ..CX }), "1970-01-01T00:00:00.000Z");
    let email = rendered("{{$randomEmail}}", CX);
    assert!(email.ends_with("@example.com") && email.len() == 22 && email == email.to_lowercase(), "{email}");
    assert_eq!(rendered("{{$payload(70)}}", CX).len(), 70);
    assert_eq!(rendered("{{$iteration}}", RenderContext { iteration: 9, ..CX }), "9");
}

#[test]
fn what_is_no_placeholder_is_explained() {
    let error = |text: &str| Template::compile(text).unwrap_err().to_string();
    assert_eq!(error("a {{$id"), "the placeholder at byte 2 has no end");
    assert_eq!(
        error("{{$sequence}}"),
        "the placeholder at byte 0 names \"$sequence\", which does not exist: did you mean $seq?"
    );
    assert_eq!(error("{{$id(1)}}"), "the placeholder at byte 0: $id takes no arguments");
    assert!(error("{{$randomInt(5,1)}}").contains("the lower first"));
    assert!(error("{{$randomString(x)}}").contains("a length"));
    assert!(error("{{$pick}}").contains("what to pick from"));
}

proptest! {
    #[test]
    fn a_text_without_braces_is_itself(text in "[^{]{0,50}") {
        prop_assert_eq!(rendered(&text, CX), text);
    }

    #[test]
    fn any_text_compiles_or_is_explained(text in ".{0,40}") {
        let _ = Template::compile(&text);
    }
}
