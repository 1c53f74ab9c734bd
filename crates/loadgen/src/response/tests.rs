//! Answers as they should be, as they should not, and cut anywhere.

use super::*;
use proptest::prelude::*;

const CHUNKED: &[u8] =
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\nNEXT";

/// Feeds in pieces as a connection would: what is not used comes again.
fn read(input: &[u8], pieces: &[usize], known: &mut Known) -> Result<(Response, usize, bool), Malformed> {
    let mut response = Response::default();
    let (mut buffer, mut total, mut rest) = (Vec::new(), 0, input);
    let mut pieces = pieces.iter().copied().chain(std::iter::repeat(usize::MAX));
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(pieces.next().unwrap_or(1).clamp(1, rest.len()));
        buffer.extend_from_slice(piece);
        rest = after;
        let (used, done) = response.feed(&buffer, known)?;
        buffer.drain(..used);
        total += used;
        if done {
            return Ok((response, total, true));
        }
    }
    Ok((response, total, false))
}

fn whole(input: &[u8]) -> Result<(Response, usize, bool), Malformed> {
    read(input, &[], &mut Known::new(false))
}

#[test]
fn answers_end_where_they_should() {
    for (input, status, end, reusable) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloX"[..], 200, 43, true),
        (b"HTTP/1.1 204\r\n\r\nX", 204, 16, true),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nX", 304, 48, true),
        (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\nX", 200, 60, false),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nyX", 200, 39, false),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nyX", 200, 63, true),
        (b"HTTP/1.1 200 OK\nContent-Length: 1\n\nyX", 200, 36, true),
        (b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nyX", 200, 70, true),
        (b"HTTP/1.1 101 Switching\r\n\r\nX", 101, 26, false),
        // Two words on the length: the coding counts, and the connection is not trusted further.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\nX", 200, 83, false),
        (CHUNKED, 500, CHUNKED.len() - 4, true),
    ] {
        let (response, used, done) = whole(input).expect("an answer");
        let text = String::from_utf8_lossy(input);
        assert_eq!((response.status, used, done, response.reusable), (status, end, true, reusable), "{text}");
    }
    assert_eq!(whole(CHUNKED).expect("an answer").0.example, b"abcde");
    let (mut open, _, done) = whole(b"HTTP/1.1 200 OK\r\n\r\nall of it").expect("an answer");
    assert_eq!((done, open.reusable, open.close()), (false, false, true));
    assert!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &[], &mut Known::new(true)).expect("HEAD").2);
}

#[test]
fn an_early_end_is_no_answer() {
    for input in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"[..],
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        b"",
    ] {
        let (mut response, _, done) = whole(input).expect("nothing wrong yet");
        assert!(!done && !response.close(), "{}", String::from_utf8_lossy(input));
    }
}

#[test]
fn what_is_no_answer_is_told() {
    for input in [
        &b"SSH-2.0-x\r\n\r\n"[..],
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20x\r\n\r\n",
        b"HTTP/1.1 2000\r\n\r\n",
        b"HTTP/1.1 099 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    ] {
        assert!(whole(input).is_err(), "{}", String::from_utf8_lossy(input));
    }
    assert!(whole(&vec![b'a'; HEAD_LIMIT + 1]).is_err());
    let long = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;".to_vec(), vec![b'a'; LINE_LIMIT + 1]].concat();
    assert!(whole(&long).is_err());
}

#[test]
fn a_head_that_is_known_is_read_as_the_first_time() {
    let mut known = Known::new(false);
    for input in [&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..], b"HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\nhello", CHUNKED]
    {
        let first = read(input, &[], &mut known).map(|(response, used, done)| (response.status, response.reusable, used, done));
        let again = read(input, &[], &mut known).map(|(response, used, done)| (response.status, response.reusable, used, done));
        let alone = whole(input).map(|(response, used, done)| (response.status, response.reusable, used, done));
        assert_eq!((&first, &again), (&alone, &alone));
    }
}

proptest! {
    #[test]
    fn however_it_is_cut_it_is_the_same(pieces in proptest::collection::vec(1usize..20, 0..60)) {
        let (response, used, done) = read(CHUNKED, &pieces, &mut Known::new(false)).expect("an answer");
        prop_assert_eq!((response.status, used, done), (500, CHUNKED.len() - 4, true));
        prop_assert_eq!(response.example.as_slice(), b"abcde");
    }

    #[test]
    fn what_was_sent_in_chunks_is_what_is_read(chunks in proptest::collection::vec(1usize..300, 0..8), pieces in proptest::collection::vec(1usize..90, 0..40)) {
        let mut input = b"HTTP/1.1 404 No\r\ntransfer-encoding: Chunked\r\n\r\n".to_vec();
        for size in &chunks {
            input.extend(format!("{size:x}\r\n{}\r\n", "b".repeat(*size)).into_bytes());
        }
        input.extend_from_slice(b"0\r\n\r\n");
        let (response, used, done) = read(&input, &pieces, &mut Known::new(false)).expect("an answer");
        prop_assert_eq!((used, done, response.reusable), (input.len(), true, true));
        prop_assert_eq!(response.example.len(), chunks.iter().sum::<usize>().min(EXAMPLE));
    }

    #[test]
    fn no_bytes_make_it_panic(input in proptest::collection::vec(any::<u8>(), 0..300), pieces in proptest::collection::vec(1usize..9, 0..40)) {
        let mut known = Known::new(false);
        let _ = read(&input, &pieces, &mut known);
        let _ = read(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", input.as_slice()].concat(), &pieces, &mut known);
    }
}
