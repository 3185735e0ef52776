//! Templates and what becomes of them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn variables() -> Vec<(&'static str, Value)> {
    vec![
        (
            "$body",
            json!({
                "input": {"id": "a-1", "n": 4, "half": 0.5, "whole": 1.0, "yes": true, "nothing": null, "my key": "k"},
                "list": [{"t": "x", "ok": true}, {"t": "y", "ok": false}],
                "numbers": [1, 2, 3], "empty": [], "_id": 7, "x-y": "dash",
            }),
        ),
        ("$base_url", json!("http://service.test/x")),
        ("$session_variables", json!({"x-hasura-role": "user"})),
        ("$", json!({"event": {"name": "n"}})),
    ]
}

fn run(template: &str) -> Result<Value, KritiError> {
    let session = [("x-hasura-user-id".to_owned(), "u1".to_owned())].into();
    let variables = variables();
    Template::parse(template)?.evaluate(&Scope { variables: &variables, session: Some(&session) })
}

fn becomes(template: &str, value: Value) {
    assert_eq!(run(template), Ok(value), "{template}");
}

fn fails(template: &str, code: Code, message: &str) {
    let error = run(template).expect_err(template);
    assert_eq!((error.code, error.message.as_str()), (code, message), "{template}");
}

#[test]
fn json_is_a_template() {
    for text in [r#"{"a": [1, -2, 3.5, 1e3], "b": {"c": null, "d": true, "": ""}}"#, "[]", "{}", "7", "\"x\"", "null"] {
        becomes(text, serde_json::from_str(text).unwrap());
    }
    becomes("\"a\\n\\\"b\\u00e9\\ud83d\\ude00\\\\\"", json!("a\n\"bé😀\\"));
    becomes("# a comment\n[1, # another\n2]", json!([1, 2]));
    let keys: Vec<String> = run(r#"{"z": 1, "a": 2}"#).unwrap().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["z", "a"], "fields stay in order");
}

#[test]
fn paths_look_things_up() {
    becomes("{{$body.input.id}}", json!("a-1"));
    becomes("{{ $body.list[1].t }}", json!("y"));
    becomes("{{ $body['input']['my key'] }}", json!("k"));
    becomes("{{ $body.input[\"my key\"] }}", json!("k"));
    becomes("{{ $.event.name }}", json!("n"));
    becomes("{{ $body._id }}", json!(7));
    becomes("{{ $body.x-y }}", json!("dash"));
    becomes("{\"a\":{{$body.input.n}}}", json!({"a": 4}));
    becomes("{{ $body.numbers[$body.numbers[0]] }}", json!(2));
}

#[test]
fn what_is_missing_is_an_error_unless_it_is_optional() {
    fails("{{ $body.z }}", Code::Attribute, "'Object' has no attritubte 'z'.");
    fails("{{ $nope }}", Code::Name, "Variable '$nope' not in scope");
    fails("{{ $body.numbers[9] }}", Code::Index, "Can only range over an array");
    fails("{{ $body.numbers.x }}", Code::Type, "Couldn't matche expected type 'Integer' with actual type 'String'");
    fails("{{ $body.input.id.x }}", Code::Type, "Couldn't matche expected type 'Object' with actual type 'String'");
    becomes("{{ $body?.z }}", json!(null));
    becomes("{{ $body?.z.y[3].x }}", json!(null));
    becomes("{{ $body.input?['no key'] }}", json!(null));
    becomes("{{ $body.numbers?[9] }}", json!(null));
    becomes("{{ $nope?.x }}", json!(null));
    becomes("{{ $body?.z ?? 3 }}", json!(3));
    becomes("{{ $body.input.nothing ?? $body?.q ?? \"d\" }}", json!("d"));
    becomes("{{ $body.input.n ?? 3 }}", json!(4));
}

#[test]
fn strings_hold_expressions() {
    becomes("\"{{$base_url}}/{{$body.input.id}}?n={{$body.input.n}}\"", json!("http://service.test/x/a-1?n=4"));
    becomes("\"{{$body.input.half}} {{$body.input.whole}} {{$body.input.yes}}\"", json!("0.5 1.0 true"));
    becomes("\"{{$body.numbers}}\"", json!("[1,2,3]"));
    becomes("\"{a} {{ toUpper \"x{{$body.input.id}}\" }} }\"", json!("{a} XA-1 }"));
    let text = Template::parse_text("r={{$session_variables[\"x-hasura-role\"]}}").unwrap();
    let variables = variables();
    assert_eq!(text.evaluate(&Scope { variables: &variables, session: None }), Ok(json!("r=user")));
}

#[test]
fn conditions_choose() {
    let template = |n: &str| {
        format!(
            "{{{{ if $body.input.n > {n} }}}} \"more\" {{{{ elif $body.input.n == {n} }}}} \"same\" {{{{ else }}}} \"less\" {{{{ end }}}}"
        )
    };
    becomes(&template("3"), json!("more"));
    becomes(&template("4"), json!("same"));
    becomes(&template("5"), json!("less"));
    becomes("{{ if $body.input.yes && (1 < 2) }}1{{else}}{{ $body.z }}{{end}}", json!(1));
    fails(
        "{{ if 1 }}1{{else}}2{{end}}",
        Code::Type,
        "Couldn't matche expected type 'Boolean' with actual type 'Number'",
    );
    fails("{{ if true }}1{{end}}", Code::Parse, "Unexpected token 'end'.");
}

#[test]
fn loops_build_lists() {
    becomes(
        "{{ range i, x := $body.list }} {\"i\": {{i}}, \"t\": {{x.t}}, \"u\": \"{{$base_url}}\"} {{ end }}",
        json!([
            {"i": 0, "t": "x", "u": "http://service.test/x"},
            {"i": 1, "t": "y", "u": "http://service.test/x"},
        ]),
    );
    becomes("{{ range _, x := $body.empty }} {{x}} {{ end }}", json!([]));
    becomes(
        "{{ range i, x := $body.numbers }} {{ range j, y := $body.numbers }} [{{i}}, {{y}}, {{x}}] {{ end }} {{ end }}",
        json!([
            [[0, 1, 1], [0, 2, 1], [0, 3, 1]],
            [[1, 1, 2], [1, 2, 2], [1, 3, 2]],
            [[2, 1, 3], [2, 2, 3], [2, 3, 3]],
        ]),
    );
    becomes("{{ range _, size := $body.numbers }} {{ size }} {{ end }}", json!([1, 2, 3]));
    becomes(
        "{{ removeNulls {{ range _, x := $body.list }} {{ if x.ok }} {{x.t}} {{ else }} null {{ end }} {{ end }} }}",
        json!(["x"]),
    );
    fails(
        "{{ range _, x := $body.input }} 1 {{ end }}",
        Code::Type,
        "Couldn't matche expected type 'Array' with actual type 'Object'",
    );
    fails("{{ range _, x := $body.list }} {{x}} {{ end }} {{x}}", Code::Parse, "Unexpected token '{{'.");
}

#[test]
fn operators_compare_and_combine() {
    for (expression, value) in [
        ("1 == 1.0", true),
        ("1 != 2", true),
        ("2 >= 2 && 2 <= 2", true),
        ("\"a\" < \"b\"", true),
        ("[1, 2] == [1, 2]", true),
        ("{\"a\": 1, \"b\": 2} == {\"b\": 2, \"a\": 1}", true),
        ("\"a\" == 1", false),
        ("null == null", true),
        ("true || false && false", true),
        ("(true || false) && false", false),
        ("2 in [1, 2]", true),
        ("\"id\" in $body.input", true),
        ("\"no\" in $body.input", false),
        ("not $body.input.yes || true", true),
        ("size $body.numbers > 2", true),
        ("$body?.z ?? 1 == 1", true),
        ("18446744073709551615 > -1", true),
    ] {
        becomes(&format!("{{{{ {expression} }}}}"), json!(value));
    }
    fails("{{ 1 && true }}", Code::Type, "Couldn't matche expected type 'Boolean' with actual type 'Number'");
    fails("{{ 1 in \"x\" }}", Code::Type, "Couldn't matche expected type 'Array' with actual type 'String'");
    fails("{{ 1 in {} }}", Code::Type, "Couldn't matche expected type 'String' with actual type 'Number'");
}

#[test]
fn functions_work_on_values() {
    for (expression, value) in [
        ("escapeUri \"a b&c/é~\"", json!("a%20b%26c%2F%C3%A9~")),
        ("not false", json!(true)),
        ("not (1 == 2)", json!(true)),
        ("empty \" \"", json!(true)),
        ("empty 0", json!(true)),
        ("empty $body.numbers", json!(false)),
        ("empty null", json!(true)),
        ("size \"é1\"", json!(2)),
        ("size $body.input", json!(7)),
        ("size true", json!(1)),
        ("inverse [1, 2]", json!([2, 1])),
        ("inverse \"ab\"", json!("ba")),
        ("inverse 4", json!(0.25)),
        ("inverse 1", json!(1)),
        ("head [7, 8]", json!(7)),
        ("head \"éa\"", json!("é")),
        ("tail [7, 8]", json!([8])),
        ("tail \"éa\"", json!("a")),
        ("head tail $body.numbers", json!(2)),
        ("toLower \"AB\"", json!("ab")),
        ("toCaseFold \"AB\"", json!("ab")),
        ("toUpper $body.input.id", json!("A-1")),
        ("toTitle \"hello wORLD it's\"", json!("Hello World It's")),
        ("removeNulls [1, null, 2]", json!([1, 2])),
        ("concat [[1], [2, 3]]", json!([1, 2, 3])),
        ("concat [\"a\", \"b\"]", json!("ab")),
        ("concat [{\"a\": 1, \"b\": 1}, {\"b\": 2}]", json!({"a": 1, "b": 2})),
        ("concat []", json!([])),
        ("toPairs {\"a\": 1}", json!([["a", 1]])),
        ("fromPairs [[\"a\", 1]]", json!({"a": 1})),
        ("getSessionVariable \"X-Hasura-User-Id\"", json!("u1")),
        ("getSessionVariable null", json!(null)),
    ] {
        becomes(&format!("{{{{ {expression} }}}}"), value);
    }
    fails("{{ toUpper 1 }}", Code::Function, "parsing String failed, expected String, but encountered Number");
    fails("{{ not 1 }}", Code::Function, "parsing Bool failed, expected Boolean, but encountered Number");
    fails("{{ head [] }}", Code::Function, "Empty array");
    fails("{{ tail \"\" }}", Code::Function, "Empty string");
    fails("{{ inverse 0 }}", Code::Function, "Cannot divide by zero");
    fails("{{ empty true }}", Code::Function, "Cannot define emptiness for a boolean");
    fails("{{ getSessionVariable \"x-hasura-no\" }}", Code::Function, "Session variable \"x-hasura-no\" not found");
    fails("{{ nope $body }}", Code::Name, "Variable 'nope' not in scope");
}

#[test]
fn what_is_no_template_is_refused_where_it_ends() {
    let at = |template: &str| {
        let shown = Template::parse(template).expect_err(template).to_json();
        let place = &shown["source_position"];
        (shown["message"].as_str().unwrap().to_owned(), place["start_line"].clone(), place["start_column"].clone())
    };
    let is = |message: &str, line: u64, column: u64| (message.to_owned(), json!(line), json!(column));
    assert_eq!(at(""), is("ParseError: Empty token stream.", 0, 1));
    assert_eq!(at("{\"a\": 1"), is("ParseError: Empty token stream.", 0, 8));
    assert_eq!(at("{\"a\" 1}"), is("Unexpected token '1'.", 0, 6));
    assert_eq!(at("[1,\n ]"), is("Unexpected token ']'.", 1, 2));
    assert_eq!(at("{{ $body. }}"), is("Unexpected token '}}'.", 0, 11));
    assert_eq!(at("{{ $body }"), is("Unexpected token '}'.", 0, 10));
    assert_eq!(at("1 2"), is("Unexpected token '2'.", 0, 3));
    assert_eq!(at("\"abc"), is("ParseError: Empty token stream.", 0, 5));
    assert_eq!(at("{{ 1.2.3 }}"), is("Invalid Lexeme: '1.2.3'", 0, 4));
    assert_eq!(at("@"), is("Invalid Lexeme: '@'", 0, 1));
    assert_eq!(at("{\"{{x}}\": {{ if }}"), is("Unexpected token '}}'.", 0, 17));
    assert_eq!(at("{{ range a b }}"), is("Unexpected token 'b'.", 0, 12));
}

#[test]
fn an_error_is_shown_as_recorded() {
    let error = run("{\"b\": {{$body.z}} }").unwrap_err();
    assert_eq!(
        error.to_json(),
        json!({
            "error_code": "Attribute Error",
            "message": "'Object' has no attritubte 'z'.",
            "source_position": {"start_line": 0, "start_column": 9, "end_line": 0, "end_column": 16},
        })
    );
}

#[test]
fn depth_and_work_are_bounded() {
    let limit = |template: &str| run(template).expect_err("too much").code;
    assert_eq!(limit(&"[".repeat(100_000)), Code::Limit);
    assert_eq!(limit(&"{{".repeat(100_000)), Code::Limit);
    assert_eq!(limit(&"not ".repeat(100_000)), Code::Limit);
    assert_eq!(limit(&format!("{{{{ $body{} }}}}", ".a".repeat(100_000))), Code::Limit);
    assert_eq!(limit(&format!("{{{{ 1{} }}}}", " == 1".repeat(100_000))), Code::Limit);
    assert_eq!(limit(&format!("{{{{ true{} }}}}", " || (true && true)".repeat(100_000))), Code::Limit);
    let inner = "[0,1,2,3,4,5,6,7,8,9]";
    let mut template = "{{$body}}".to_owned();
    for level in 0..12 {
        template = format!("{{{{ range _, x{level} := {inner} }}}}{template}{{{{ end }}}}");
    }
    assert_eq!(limit(&template), Code::Limit);
    let deepest = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    assert!(run(&deepest).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = run(&text);
        let _ = Template::parse_text(&text);
    }

    #[test]
    fn no_mixture_of_tokens_panics(tokens in prop::collection::vec(prop::sample::select(vec![
        "{{", "}}", "{", "}", "[", "]", "(", ")", "\"", "'", ",", ":", ":=", ".", "?.", "?[", "??", "==", "&&", "in",
        "if", "elif", "else", "end", "range", "i", "x", "_", "$body", "$body.list", "not", "size", "concat", "1", "-1",
        "true", "null", "\\", "\\u12", "é", "#", "\n", " ",
    ]), 0..40)) {
        let _ = run(&tokens.concat());
        let _ = run(&tokens.join(" "));
    }

    #[test]
    fn json_stays_what_it_is(value in json_values()) {
        prop_assert_eq!(run(&value.to_string()), Ok(value));
    }
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[^{}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[^{}]{0,6}", inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
