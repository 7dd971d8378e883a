//! A copybook's text as a tree of items.
//!
//! Columns 1–6 and 73–80 are left out where the text has the fixed form of punched cards; `*` or `/` in column 7, or `*>`,
//! begins a comment. Levels 66, 78 and 88 describe nothing of their own and are passed over.

use super::picture::{self, Picture};

/// How a number or a text is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Usage {
    #[default]
    Display,
    Binary,
    Packed,
    /// COMP-5: binary in the machine's byte order, all values of its bytes.
    Native,
    /// Double-byte characters of the code page.
    Double,
    /// UTF-16.
    National,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occurs {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) depending: Option<String>,
}

/// Where a DISPLAY number has its sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SignClause {
    pub(crate) leading: bool,
    pub(crate) separate: bool,
}

/// One line of the description, with what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) level: u8,
    /// `None`: FILLER.
    pub(crate) name: Option<String>,
    pub(crate) picture: Option<Picture>,
    pub(crate) usage: Option<Usage>,
    pub(crate) sign: Option<SignClause>,
    pub(crate) occurs: Option<Occurs>,
    pub(crate) redefines: Option<String>,
    pub(crate) right: bool,
    /// In the copybook's text, from 1.
    pub(crate) line: usize,
    pub(crate) children: Vec<Item>,
}

/// A copybook longer than this is none.
const TEXT_BYTES_MAX: usize = 4 << 20;
const OCCURS_MAX: usize = 1_000_000;

/// Reads a copybook; all problems at once, each with its line.
pub(crate) fn parse(text: &str) -> Result<Vec<Item>, Vec<String>> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(vec!["the copybook has more than 4 MiB".to_owned()]);
    }
    let mut problems = Vec::new();
    let mut flat = Vec::new();
    for statement in statements(text) {
        match item(&statement) {
            Ok(Some(item)) => flat.push(item),
            Ok(None) => {}
            Err(why) => {
                let line = statement.first().map_or(1, |word| word.line);
                problems.push(format!("line {line}: {why}"));
            }
        }
    }
    if flat.is_empty() && problems.is_empty() {
        problems.push("the copybook describes nothing".to_owned());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut rest = flat.into_iter().peekable();
    let mut roots = Vec::new();
    while let Some(mut root) = rest.next() {
        root.children = below(root.level, &mut rest, &mut problems, 0);
        check(&root, &mut problems);
        roots.push(root);
    }
    if roots.iter().any(|root| root.level != 77) {
        // Variables of a program beside its records.
        roots.retain(|root| root.level != 77);
    }
    // A fragment without its 01 level is the inside of one record.
    let bare = roots
        .first()
        .is_some_and(|root| root.level != 1 && root.level != 77);
    if bare {
        roots = vec![Item {
            level: 1,
            name: Some("RECORD".to_owned()),
            picture: None,
            usage: None,
            sign: None,
            occurs: None,
            redefines: None,
            right: false,
            line: 1,
            children: roots,
        }];
    }
    if problems.is_empty() {
        Ok(roots)
    } else {
        Err(problems)
    }
}

/// Levels deeper than this are a mistake.
const DEPTH_MAX: usize = 49;

fn below(
    level: u8,
    rest: &mut std::iter::Peekable<std::vec::IntoIter<Item>>,
    problems: &mut Vec<String>,
    depth: usize,
) -> Vec<Item> {
    let mut children = Vec::new();
    if depth > DEPTH_MAX {
        problems.push("the levels nest too deep".to_owned());
        rest.by_ref().for_each(drop);
        return children;
    }
    while let Some(mut child) = rest.next_if(|next| next.level > level && next.level != 77) {
        child.children = below(child.level, rest, problems, depth + 1);
        children.push(child);
    }
    children
}

fn check(item: &Item, problems: &mut Vec<String>) {
    let name = item.name.as_deref().unwrap_or("FILLER");
    let mut problem = |what: &str| problems.push(format!("line {}: {name} {what}", item.line));
    match (&item.picture, item.children.is_empty()) {
        (Some(_), false) => problem("has a PIC and items below it"),
        (None, true) => problem("has neither a PIC nor items below it"),
        (Some(Picture::Text { .. }), true)
            if matches!(
                item.usage,
                Some(Usage::Binary | Usage::Packed | Usage::Native)
            ) =>
        {
            problem("is text, and COMP is for numbers");
        }
        _ => {}
    }
    let mut before: Vec<&str> = Vec::new();
    for child in &item.children {
        if let Some(redefined) = &child.redefines
            && !before.contains(&redefined.as_str())
        {
            let line = child.line;
            problems.push(format!(
                "line {line}: REDEFINES {redefined}, which does not stand before it on its level"
            ));
        }
        before.extend(child.name.as_deref());
        check(child, problems);
    }
}

#[derive(Debug)]
struct Word {
    text: String,
    /// A literal, never a keyword.
    quoted: bool,
    line: usize,
}

/// Statements end with a period before a space; literals may hold anything.
fn statements(text: &str) -> Vec<Vec<Word>> {
    let fixed = has_fixed_form(text);
    let mut statements = vec![Vec::new()];
    for (number, line) in text.lines().enumerate() {
        let code = code_of(line, fixed);
        let mut rest = code.trim_start();
        while !rest.is_empty() {
            if rest.starts_with("*>") {
                break;
            }
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (word, behind) = match quote {
                Some(quote) => {
                    let inside = rest.get(1..).unwrap_or_default();
                    inside.split_once(quote).unwrap_or((inside, ""))
                }
                None => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    rest.split_at_checked(end).unwrap_or((rest, ""))
                }
            };
            let word = Word {
                text: word.to_owned(),
                quoted: quote.is_some(),
                line: number + 1,
            };
            rest = push_word(word, behind, &mut statements);
        }
    }
    statements.retain(|statement| !statement.is_empty());
    statements
}

/// Adds a word, ends the statement at a period; returns what is left of the line.
fn push_word<'a>(mut word: Word, behind: &'a str, statements: &mut Vec<Vec<Word>>) -> &'a str {
    let mut rest = behind;
    let ends = if word.quoted {
        // The period stands behind the closing quote.
        match rest.strip_prefix('.') {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        }
    } else {
        let trimmed = word.text.trim_end_matches([',', ';']);
        let ended = trimmed.strip_suffix('.');
        let ends = ended.is_some();
        word.text = ended.unwrap_or(trimmed).to_owned();
        ends
    };
    if (word.quoted || !word.text.is_empty())
        && let Some(statement) = statements.last_mut()
    {
        statement.push(word);
    }
    if ends {
        statements.push(Vec::new());
    }
    rest.trim_start()
}

/// Whether all lines leave the sequence area free or numbered, and something sensible in column 7.
fn has_fixed_form(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let fits = |line: &str| {
        let mut characters = line.chars();
        let sequence = characters
            .by_ref()
            .take(6)
            .all(|c| c == ' ' || c.is_ascii_digit());
        sequence
            && characters
                .next()
                .is_none_or(|c| matches!(c, ' ' | '*' | '/' | '-' | 'D' | 'd'))
    };
    lines.all(fits)
}

fn code_of(line: &str, fixed: bool) -> String {
    let bare = line.trim_start();
    if !fixed {
        let comment = bare.starts_with('*')
            || line.chars().nth(6).is_some_and(|c| {
                c == '*' && line.trim_start().starts_with(|d: char| d.is_ascii_digit())
            });
        return if comment {
            String::new()
        } else {
            line.replace('\t', " ")
        };
    }
    let code: String = line.chars().skip(6).take(66).collect();
    if code.starts_with(['*', '/']) {
        String::new()
    } else {
        code.get(1..).unwrap_or_default().to_owned()
    }
}

/// Reads one statement; `None` for levels that describe nothing of their own.
fn item(words: &[Word]) -> Result<Option<Item>, String> {
    let mut rest = words.iter().peekable();
    let first = rest.next().ok_or("is empty")?;
    let level: u8 = first
        .text
        .parse()
        .map_err(|_| format!("`{}` is not a level number", first.text))?;
    if matches!(level, 66 | 78 | 88) {
        return Ok(None);
    }
    if !(1..=49).contains(&level) && level != 77 {
        return Err(format!(
            "level {level} is not one from 01 to 49, 66, 77, 78 or 88"
        ));
    }
    let mut item = Item {
        level,
        name: None,
        picture: None,
        usage: None,
        sign: None,
        occurs: None,
        redefines: None,
        right: false,
        line: first.line,
        children: Vec::new(),
    };
    if let Some(name) = rest.next_if(|word| !is_clause(word)) {
        let name = name.text.to_ascii_uppercase();
        item.name = (name != "FILLER").then_some(name);
    }
    let mut clauses = Clauses { rest };
    while let Some(word) = clauses.rest.next() {
        clauses.clause(&word.text.to_ascii_uppercase(), &mut item)?;
    }
    if let Some(Picture::Double { .. }) = item.picture
        && item.usage.is_none()
    {
        item.usage = Some(Usage::Double);
    }
    Ok(Some(item))
}

const CLAUSES: [&str; 27] = [
    "PIC",
    "PICTURE",
    "USAGE",
    "OCCURS",
    "REDEFINES",
    "SIGN",
    "VALUE",
    "VALUES",
    "JUST",
    "JUSTIFIED",
    "BLANK",
    "SYNC",
    "SYNCHRONIZED",
    "COMP",
    "COMPUTATIONAL",
    "COMP-3",
    "COMPUTATIONAL-3",
    "COMP-4",
    "COMP-5",
    "BINARY",
    "PACKED-DECIMAL",
    "DISPLAY",
    "DISPLAY-1",
    "NATIONAL",
    "GLOBAL",
    "EXTERNAL",
    "COMPUTATIONAL-5",
];

fn is_clause(word: &Word) -> bool {
    !word.quoted
        && CLAUSES
            .iter()
            .any(|clause| word.text.eq_ignore_ascii_case(clause))
}

struct Clauses<'a, I: Iterator<Item = &'a Word>> {
    rest: std::iter::Peekable<I>,
}

impl<'a, I: Iterator<Item = &'a Word>> Clauses<'a, I> {
    fn clause(&mut self, word: &str, item: &mut Item) -> Result<(), String> {
        match word {
            "PIC" | "PICTURE" => {
                self.skip("IS");
                item.picture = Some(picture::parse(&self.next("a picture")?)?);
            }
            "USAGE" => {
                self.skip("IS");
                let word = self.next("a usage")?;
                item.usage = Some(usage(&word)?);
            }
            "OCCURS" => item.occurs = Some(self.occurs()?),
            "REDEFINES" => item.redefines = Some(self.next("a name")?),
            "SIGN" => {
                self.skip("IS");
                let side = self.next("LEADING or TRAILING")?;
                item.sign = Some(self.sign(&side)?);
            }
            "LEADING" | "TRAILING" => item.sign = Some(self.sign(word)?),
            "VALUE" | "VALUES" => while self.rest.next_if(|word| !is_clause(word)).is_some() {},
            "JUST" | "JUSTIFIED" => {
                self.skip("RIGHT");
                item.right = true;
            }
            "BLANK" => {
                self.skip("WHEN");
                self.next("ZERO")?;
            }
            "GLOBAL" | "EXTERNAL" => {}
            "SYNC" | "SYNCHRONIZED" => {
                return Err(
                    "SYNCHRONIZED is not supported: write its slack bytes as FILLER".to_owned(),
                );
            }
            other => item.usage = Some(usage(other)?),
        }
        Ok(())
    }

    fn next(&mut self, what: &str) -> Result<String, String> {
        let word = self
            .rest
            .next()
            .ok_or_else(|| format!("ends where {what} should be"))?;
        Ok(word.text.to_ascii_uppercase())
    }

    fn skip(&mut self, word: &str) {
        self.rest
            .next_if(|next| next.text.eq_ignore_ascii_case(word));
    }

    fn sign(&mut self, side: &str) -> Result<SignClause, String> {
        let leading = match side {
            "LEADING" => true,
            "TRAILING" => false,
            other => return Err(format!("SIGN is LEADING or TRAILING, not `{other}`")),
        };
        let separate = self
            .rest
            .next_if(|next| next.text.eq_ignore_ascii_case("SEPARATE"))
            .is_some();
        self.skip("CHARACTER");
        Ok(SignClause { leading, separate })
    }

    fn occurs(&mut self) -> Result<Occurs, String> {
        let number = |text: &str| -> Result<usize, String> {
            let n = text.parse::<usize>().ok().filter(|n| *n <= OCCURS_MAX);
            n.ok_or_else(|| format!("OCCURS needs a number up to {OCCURS_MAX}, not `{text}`"))
        };
        let first = number(&self.next("a number")?)?;
        let mut occurs = Occurs {
            min: first,
            max: first,
            depending: None,
        };
        if self
            .rest
            .next_if(|next| next.text.eq_ignore_ascii_case("TO"))
            .is_some()
        {
            occurs.max = number(&self.next("a number")?)?;
        }
        self.skip("TIMES");
        while let Some(word) = self.rest.next_if(|next| !is_clause(next)) {
            // ASCENDING KEY IS … and INDEXED BY … say nothing about bytes.
            if word.text.eq_ignore_ascii_case("DEPENDING") {
                self.skip("ON");
                occurs.depending = Some(self.next("a name")?);
            }
        }
        if occurs.max == 0 || occurs.min > occurs.max {
            return Err(format!(
                "OCCURS {} TO {} makes no sense",
                occurs.min, occurs.max
            ));
        }
        if occurs.min != occurs.max && occurs.depending.is_none() {
            return Err("OCCURS with TO needs DEPENDING ON".to_owned());
        }
        Ok(occurs)
    }
}

fn usage(word: &str) -> Result<Usage, String> {
    Ok(match word {
        "DISPLAY" => Usage::Display,
        "DISPLAY-1" => Usage::Double,
        "NATIONAL" => Usage::National,
        "COMP" | "COMPUTATIONAL" | "COMP-4" | "COMPUTATIONAL-4" | "BINARY" => Usage::Binary,
        "COMP-3" | "COMPUTATIONAL-3" | "PACKED-DECIMAL" => Usage::Packed,
        "COMP-5" | "COMPUTATIONAL-5" => Usage::Native,
        "COMP-1" | "COMP-2" | "COMPUTATIONAL-1" | "COMPUTATIONAL-2" => {
            return Err(format!(
                "{word} (a machine's own floating point) is not supported"
            ));
        }
        other => return Err(format!("`{other}` is not understood here")),
    })
}
