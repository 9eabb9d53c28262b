//! Why a row or an example is not among what was read or encoded.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// Defines an enum of reasons: what each is called, and the text that people read. Reasons are
/// ordered by their texts, as reports list them, and serialised by their names in snake case.
macro_rules! reasons {
    (
        $(#[$about:meta])*
        $reasons:ident { $($reason:ident = $text:literal,)* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $reasons {
            $(#[doc = concat!("*", $text, "*")] $reason,)*
        }

        impl $reasons {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)*];

            /// The text that reports show.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => $text,)*
                }
            }
        }

        impl fmt::Display for $reasons {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Ord for $reasons {
            fn cmp(&self, other: &Self) -> Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl PartialOrd for $reasons {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    };
}

reasons! {
    /// Why a row, or an answer in it, or an example on its way to token ids, is of no use.
    ///
    /// ```
    /// use burn_kto::data::DropReason;
    /// assert_eq!(DropReason::EmptyCompletion.to_string(), "completion is empty");
    /// ```
    DropReason {
        EmptyCompletion = "completion is empty",
        EmptyPrompt = "prompt is empty",
        SamePair = "chosen and rejected are the same",
        PromptsDiffer = "prompts of chosen and rejected differ",
        PromptNotInConversation = "prompt is not in the conversation",
        AlreadyAnswered = "prompt ends with an answer",
        CallsTool = "completion calls a tool",
        PrintedList = "completion is a list of messages as Python prints it",
        HasReasoning = "completion has reasoning beside its text",
        NotAnswered = "conversation does not end with the assistant",
        EmptyConversation = "conversation is empty",
        UnknownRole = "role of a message is not known",
        NotText = "content of a message is not text",
        ContextOnly = "completion has weight 0: it is context only",
        NoLabel = "label is null",
        Tie = "neither answer is better",
        NoVerdict = "verdict on the answers is missing",
        UnclearVerdict = "verdict names neither answer",
        TextTooLong = "a text is longer than 16 MiB",
        MakesTooMuch = "its examples would be longer than 256 MiB",
        NoTreePrompt = "tree has no prompt",
        NoParent = "message answers one that is not there",
        MessageDeleted = "message is deleted",
        MessageRejected = "message did not pass review",
        FollowsLeftOut = "follows a message that was left out",
        AnswerUnranked = "answer has no rank among its siblings",
        AnswerUnrated = "answer has no rating",
        NoneRanked = "no answer is ranked",
        NoneBetter = "no answer is better than another",
        NoCompletions = "no completions",
        LabelAgainstScores = "label and scores disagree",
        NoRoom = "no room for the completion",
        NothingMarked = "the chat template marks nothing of it as the assistant's",
        MarksUnclear = "the chat template's marks do not tell turns of weight 0 from others",
        TokensUnclear = "special tokens of the chat template cannot be told from those in texts",
        TemplateRefuses = "the chat template refuses it",
    }
}

reasons! {
    /// Why a row, or an answer in it, is of use but was not asked for.
    ///
    /// ```
    /// use burn_kto::data::LeftOutReason;
    /// assert_eq!(LeftOutReason::Duplicate.to_string(), "duplicate");
    /// ```
    LeftOutReason {
        OtherLanguage = "message is in another language",
        FollowsLeftOut = "follows a message that was left out",
        Unanswered = "prompt without an answer",
        ScoresTooClose = "scores are too close",
        ScoreNotPositive = "a score is not positive, so there is no ratio",
        Undesirable = "undesirable",
        AtMedian = "answer at the median of its prompt",
        OnlyAnswer = "the only answer to its prompt",
        Duplicate = "duplicate",
        TooManyOfPrompt = "more of one prompt than asked for",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn reasons_have_texts_of_their_own_and_reports_list_them_by_text() {
        let texts = |all: Vec<&'static str>| {
            let sorted: BTreeSet<_> = all.iter().copied().collect();
            assert_eq!(sorted.len(), all.len());
            sorted.into_iter().collect::<Vec<_>>()
        };
        let dropped: BTreeSet<_> = DropReason::ALL.iter().copied().collect();
        let listed: Vec<_> = dropped.iter().map(|reason| reason.as_str()).collect();
        let all = DropReason::ALL.iter().map(|reason| reason.as_str());
        assert_eq!(listed, texts(all.collect()));
        let left_out: BTreeSet<_> = LeftOutReason::ALL.iter().copied().collect();
        let listed: Vec<_> = left_out.iter().map(|reason| reason.as_str()).collect();
        let all = LeftOutReason::ALL.iter().map(|reason| reason.as_str());
        assert_eq!(listed, texts(all.collect()));
    }

    #[test]
    fn reasons_go_by_their_names() {
        let json = serde_json::to_string(&DropReason::EmptyCompletion).unwrap();
        assert_eq!(json, "\"empty_completion\"");
        for reason in DropReason::ALL {
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(serde_json::from_str::<DropReason>(&json).unwrap(), *reason);
        }
        assert!(serde_json::from_str::<DropReason>("\"completion is empty\"").is_err());
    }
}
