//! Text divided at `: , { } [ ] "`, unless a backslash stands before.

/// Walks over the tokens of a text. Positions are bytes and always at the border of a character.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// A token that was looked at and not taken.
    ahead: Option<&'a str>,
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            ahead: None,
        }
    }

    pub(super) const fn text(&self) -> &'a str {
        self.text
    }

    /// Returns the place of the next token.
    pub(super) fn mark(&self) -> usize {
        self.at - self.ahead.map_or(0, str::len)
    }

    pub(super) const fn rewind(&mut self, place: usize) {
        self.at = place;
        self.ahead = None;
    }

    /// Returns what was not taken yet.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.mark()..).unwrap_or_default()
    }

    pub(super) const fn has_next(&self) -> bool {
        self.ahead.is_some() || self.at < self.text.len()
    }

    /// Takes the next token, empty at the end.
    pub(super) fn next(&mut self) -> &'a str {
        match self.ahead.take() {
            Some(token) => token,
            None => self.scan(),
        }
    }

    /// Takes the next `count` tokens as one text; takes nothing where there are fewer.
    pub(super) fn next_text(&mut self, count: usize) -> Option<&'a str> {
        let start = self.mark();
        for _ in 0..count {
            if !self.has_next() {
                self.rewind(start);
                return None;
            }
            self.next();
        }
        self.text.get(start..self.at)
    }

    /// Takes the next token if it is this one, blanks around it aside.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        if self.ahead.is_none() {
            if !self.has_next() {
                return false;
            }
            self.ahead = Some(self.scan());
        }
        while self.ahead.is_some_and(is_blank) && self.at < self.text.len() {
            self.ahead = Some(self.scan());
        }
        if self.ahead.map(trim) == Some(expected) {
            self.ahead = None;
            return true;
        }
        false
    }

    fn scan(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut escaped = false;
        for (place, character) in rest.char_indices() {
            match character {
                '\\' => escaped = !escaped,
                ':' | ',' | '{' | '}' | '[' | ']' | '"' if !escaped => {
                    let len = if place == 0 { 1 } else { place };
                    self.at += len;
                    return rest.get(..len).unwrap_or_default();
                }
                _ => escaped = false,
            }
        }
        self.at = self.text.len();
        rest
    }
}

/// `String.trim`.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|letter: char| letter <= ' ')
}

/// `Utils.isBlank`.
pub(super) fn is_blank(text: &str) -> bool {
    trim(text).is_empty()
}
