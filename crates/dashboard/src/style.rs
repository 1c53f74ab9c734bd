//! How text looks, by the parameters of SGR (ECMA-48 8.3.117), in sixteen colours.

/// A look. Colours are 0 to 15, as terminals number them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
    front: Option<u8>,
    back: Option<u8>,
}

impl Style {
    /// The look after a sequence with these parameters.
    pub(crate) fn after(self, parameters: &str) -> Self {
        let mut style = self;
        let mut numbers = parameters.split([';', ':']).map(|number| number.parse::<u16>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            style.set(number, &mut numbers);
        }
        style
    }

    fn set(&mut self, number: u16, rest: &mut impl Iterator<Item = u16>) {
        match number {
            0 => *self = Self::default(),
            1 => self.bold = true,
            2 => self.dim = true,
            3 => self.italic = true,
            4 => self.underlined = true,
            22 => (self.bold, self.dim) = (false, false),
            23 => self.italic = false,
            24 => self.underlined = false,
            30..=37 => self.front = colour(number - 30),
            38 => self.front = extended(rest),
            39 => self.front = None,
            40..=47 => self.back = colour(number - 40),
            48 => self.back = extended(rest),
            49 => self.back = None,
            90..=97 => self.front = colour(number - 82),
            100..=107 => self.back = colour(number - 92),
            _ => {}
        }
    }

    /// The classes of the stylesheet, by spaces.
    pub(crate) fn classes(self) -> String {
        let flags = [(self.bold, "b"), (self.dim, "d"), (self.italic, "i"), (self.underlined, "u")];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, class)| class.to_owned());
        let front = self.front.map(|colour| format!("f{colour}"));
        flags.chain(front).chain(self.back.map(|colour| format!("g{colour}"))).collect::<Vec<_>>().join(" ")
    }
}

fn colour(number: u16) -> Option<u8> {
    u8::try_from(number).ok().filter(|colour| *colour < 16)
}

/// One of 256 colours (`5;N`) or of all (`2;R;G;B`), as the nearest of sixteen.
fn extended(rest: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match rest.next()? {
        5 => match rest.next()? {
            number @ 0..=15 => colour(number),
            number @ 16..=231 => {
                let cube = number - 16;
                nearest([cube / 36, cube / 6 % 6, cube % 6].map(|part| part * 51))
            }
            number @ 232..=255 => nearest([(number - 232) * 10 + 8; 3]),
            _ => None,
        },
        2 => nearest([rest.next()?, rest.next()?, rest.next()?]),
        _ => None,
    }
}

/// The nearest of sixteen: which of the three are strong, and how bright the strongest is.
fn nearest(parts: [u16; 3]) -> Option<u8> {
    let most = parts.into_iter().max()?.min(255);
    let strong = parts.map(|part| u16::from(most > 40 && part * 2 > most));
    colour(strong[0] + strong[1] * 2 + strong[2] * 4 + if most > 190 { 8 } else { 0 })
}
