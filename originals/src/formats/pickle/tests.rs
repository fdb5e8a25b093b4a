//! Pickles written by hand: what is read, what is only recognised, what is refused.
//! Whole files of the original are read in the parity tests.

use super::*;

fn read(bytes: &[u8]) -> Value {
    read_pickle(bytes).unwrap().0
}

#[test]
fn a_protocol_0_dictionary_is_read_and_the_second_pickle_left_alone() {
    let bytes =
        b"(dp0\nS'doutput'\np1\nI01\nsS'it\\'s'\np2\nF0.5\nsV\\u00e9t\\u00e9\nL12L\ns.(dp0\n.";
    let (value, length) = read_pickle(bytes).unwrap();
    assert_eq!(length, bytes.len() - 6);
    assert_eq!(value.get("doutput"), Some(&Value::Bool(true)));
    assert_eq!(value.get("it's"), Some(&Value::Float(0.5)));
    assert_eq!(value.get("\u{e9}t\u{e9}").and_then(Value::as_int), Some(12));
}

#[test]
fn an_ordered_dictionary_keeps_its_order() {
    let value = read(b"ccollections\nOrderedDict\n((lp2\n(lS'b'\naI2\naa(lS'a'\naI3\naatR.");
    let Value::Dict(pairs) = value else {
        panic!("{value:?}")
    };
    let words: Vec<_> = pairs
        .iter()
        .map(|(k, v)| (k.as_text().unwrap(), v.as_int().unwrap()))
        .collect();
    assert_eq!(words, [("b", 2), ("a", 3)]);
}

#[test]
fn a_list_that_is_filled_after_it_was_remembered_is_whole_wherever_it_stands() {
    let value = read(b"\x80\x02]q\x00(K\x01K\x02eh\x00\x86.");
    let list = Value::List(vec![Value::Int(1), Value::Int(2)]);
    assert_eq!(value, Value::Tuple(vec![list.clone(), list]));
}

#[test]
fn a_call_is_recognised_and_never_made() {
    let value = read(b"cos\nsystem\n(S'rm'\ntR.");
    assert_eq!(
        value,
        Value::Call("os.system".into(), vec![Value::Bytes(b"rm".to_vec())])
    );
}

#[test]
fn damaged_pickles_are_refused_and_never_crash() {
    let list_in_itself = b"\x80\x02]q\x00h\x00a.";
    for bytes in [
        &b""[..],
        b"(",
        b"I1",
        b"t.",
        b"\x80\x05.",
        b"R.",
        b"h\x01.",
        b"T\xff\xff\xff\xff.",
        list_in_itself,
    ] {
        assert!(read_pickle(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn unicode_of_protocol_0_is_latin_1_as_python_writes_it() {
    assert_eq!(
        read(b"Vcaf\xe9\np0\n."),
        Value::Text("caf\u{e9}".to_owned())
    );
}

#[test]
fn a_small_file_that_unfolds_without_end_is_refused() {
    let bytes = [&b"\x80\x02]"[..], &b"2\x86".repeat(40), b"."].concat();
    assert!(
        read_pickle(&bytes)
            .unwrap_err()
            .to_string()
            .contains("too often")
    );
}

#[test]
fn the_protocols_of_newer_pythons_hold_the_same_values() {
    // {"a": [1, b"x"]} as protocol 4 frames, remembers and names it
    let bytes = b"\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94\x8c\x01a\x94]\x94(K\x01C\x01x\x94es.";
    let list = Value::List(vec![Value::Int(1), Value::Bytes(b"x".to_vec())]);
    assert_eq!(read(bytes).get("a"), Some(&list));
    let global = read(b"\x80\x04\x8c\x05numpy\x94\x8c\x05dtype\x94\x93\x94.");
    assert_eq!(global, Value::Global("numpy.dtype".into()));
    assert!(read_pickle(b"\x80\x06N.").is_err());
    assert!(read_pickle(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.").is_err());
}
