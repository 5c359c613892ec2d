//! The corpus, and what chance makes of it.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

/// What is kept of a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files = fs::read_dir(folder).expect("a corpus");
    let mut inputs: Vec<Vec<u8>> =
        files.map(|file| fs::read(file.expect("a file").path()).expect("its bytes")).collect();
    assert!(inputs.len() >= 3, "{target} has next to no corpus");
    inputs.sort();
    inputs
}

/// Changes, repeats or removes a few bytes.
fn changed(mut bytes: Vec<u8>, changes: &[(u8, prop::sample::Index, u8)]) -> Vec<u8> {
    for (kind, at, value) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match kind % 4 {
            0 => bytes[at] = *value,
            1 => bytes.insert(at, *value),
            2 => drop(bytes.remove(at)),
            _ => {
                let end = bytes.len().min(at + usize::from(*value));
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

macro_rules! corpus_test {
    ($($target:ident),*) => {$(
        #[test]
        fn $target() {
            let inputs = corpus(stringify!($target));
            inputs.iter().for_each(|input| hoop_fuzz::$target(input));
            let change = (any::<u8>(), any::<prop::sample::Index>(), any::<u8>());
            let changes = prop::collection::vec(change, 0..6);
            let chosen = (prop::sample::select(inputs), changes);
            // Whoever fails says what with; proptest keeps it, so that the next run begins there.
            proptest!(ProptestConfig::with_cases(2000), |((input, changes) in chosen)| {
                hoop_fuzz::$target(&changed(input, &changes));
            });
        }
    )*};
}

corpus_test!(event_stream, form, http1_requests, http2_ledger, websocket_reader, websocket_offers);
