//! The embedded files are those of the folder, small, complete in both languages, and free of what turns data into code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

/// The whole dashboard, compressed.
const GZIP_BYTES_MAX: usize = 200 << 10;
/// What would let data become markup or code.
const FORBIDDEN: &[&str] = &[
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "new Function",
    "srcdoc",
    "javascript:",
    "https://cdn",
];

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

fn walk(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_none_or(|ending| ending != "md") {
            let below = path.strip_prefix(web()).unwrap();
            found.insert(below.to_string_lossy().into_owned());
        }
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(web().join(path)).unwrap()
}

fn own_modules() -> Vec<&'static Asset> {
    assets()
        .iter()
        .filter(|asset| asset.path.ends_with(".js") && !asset.path.starts_with("vendor/"))
        .collect()
}

#[test]
fn every_file_of_the_folder_is_embedded() {
    let mut found = BTreeSet::new();
    walk(&web(), &mut found);
    let listed: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(listed, found, "src/files.rs lists what web/ holds");
    for asset in assets() {
        assert_eq!(asset.body, fs::read(web().join(asset.path)).unwrap());
        assert_eq!(asset.tag.len(), TAG_DIGITS + 2);
    }
}

#[test]
fn the_whole_dashboard_is_small() {
    let code = |asset: &&Asset| !asset.path.ends_with(".txt");
    let sum = |of: fn(&Asset) -> usize| assets().iter().filter(code).map(of).sum::<usize>();
    let (plain, gzip) = (sum(|a| a.body.len()), sum(|a| a.gzip.len()));
    println!(
        "dashboard: {} files, {plain} bytes, {gzip} as gzip",
        assets().len()
    );
    assert!(gzip <= GZIP_BYTES_MAX, "{gzip} bytes");
}

#[test]
fn what_is_compressed_comes_back() {
    use std::io::Read as _;
    for asset in assets() {
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(asset.gzip.as_slice())
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back, asset.body, "{}", asset.path);
    }
}

#[test]
fn nothing_turns_data_into_markup_or_code() {
    for asset in own_modules() {
        let code = text(asset.path);
        for word in FORBIDDEN {
            assert!(!code.contains(word), "{} holds `{word}`", asset.path);
        }
    }
    let page = text("index.html");
    for inline in ["<style", "style=", "onclick", "http://", "https://"] {
        assert!(!page.contains(inline), "index.html holds `{inline}`");
    }
    let scripts = page.matches("<script").count();
    assert_eq!(
        scripts,
        page.matches("<script type=\"module\" src=").count()
    );
}

#[test]
fn every_import_leads_to_a_file() {
    for asset in own_modules() {
        for (line, code) in text(asset.path).lines().enumerate() {
            let Some(target) = imported(code) else {
                continue;
            };
            let folder = Path::new(asset.path).parent().unwrap();
            let mut at = PathBuf::new();
            for part in folder.join(target).components() {
                match part {
                    std::path::Component::ParentDir => drop(at.pop()),
                    std::path::Component::CurDir => {}
                    _ => at.push(part),
                }
            }
            let path = at.to_string_lossy().into_owned();
            assert!(find(&path).is_some(), "{}:{}: {path}", asset.path, line + 1);
        }
    }
}

fn imported(line: &str) -> Option<&str> {
    let (_, rest) = line
        .split_once(" from \"")
        .or_else(|| line.split_once("import(\""))
        .or_else(|| line.split_once("import \""))?;
    rest.split_once('"').map(|(path, _)| path)
}

fn dictionary(language: &str) -> BTreeMap<String, String> {
    let source = text(&format!("i18n/{language}.js"));
    let (_, json) = source.split_once("export default ").unwrap();
    let json = json.trim_end().trim_end_matches(';');
    let words: Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{language}: {e}"));
    let words = words.as_object().unwrap();
    words
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn blanks(text: &str) -> BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn both_languages_are_complete() {
    let (en, ko) = (dictionary("en"), dictionary("ko"));
    let keys = |words: &BTreeMap<String, String>| words.keys().cloned().collect::<BTreeSet<_>>();
    let singular = |key: &&String| key.ends_with(".one");
    let (en_keys, ko_keys) = (keys(&en), keys(&ko));
    let missing: Vec<_> = en_keys
        .difference(&ko_keys)
        .filter(|k| !singular(k))
        .collect();
    assert!(missing.is_empty(), "not in Korean: {missing:?}");
    let more: Vec<_> = ko_keys.difference(&en_keys).collect();
    assert!(more.is_empty(), "not in English: {more:?}");
    for (key, korean) in &ko {
        assert!(!korean.trim().is_empty(), "{key} is empty");
        assert_eq!(blanks(korean), blanks(&en[key]), "blanks of {key}");
    }
    let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
    let untranslated: Vec<_> = ko
        .iter()
        .filter(|(key, text)| !hangul(text) && en[*key].split_whitespace().count() > 2)
        .map(|(key, _)| key)
        .collect();
    assert!(untranslated.is_empty(), "still English: {untranslated:?}");
}

#[test]
fn every_word_that_is_used_is_in_the_dictionary_and_the_other_way_round() {
    let en = dictionary("en");
    let mut used = BTreeSet::new();
    let mut prefixes = BTreeSet::new();
    for asset in own_modules()
        .iter()
        .filter(|a| !a.path.starts_with("i18n/"))
    {
        let code = text(asset.path);
        for mark in ["t(\"", "tn(\"", "word: \"", "empty: \""] {
            for (at, _) in code.match_indices(mark) {
                let (before, from) = code.split_at(at);
                let before = before.chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let rest = from.strip_prefix(mark).unwrap();
                let (key, _) = rest.split_once('"').unwrap();
                assert!(en.contains_key(key), "{}: `{key}`", asset.path);
                used.insert(key.to_owned());
            }
        }
        for mark in ["t(`", "tn(`"] {
            for rest in code.split(mark).skip(1) {
                prefixes.insert(rest.split(['$', '`']).next().unwrap().to_owned());
            }
        }
    }
    let unused: Vec<_> = en
        .keys()
        .filter(|key| {
            let plain = key.trim_end_matches(".one");
            !used.contains(plain) && !prefixes.iter().any(|prefix| plain.starts_with(prefix))
        })
        .collect();
    assert!(unused.is_empty(), "words that nothing shows: {unused:?}");
}
