# ruff: noqa: E501
"""The sentences of the retrospective in Korean and English, and how numbers are written in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hoego.apps.diary.facts import RunSummary
from hoego.errors import UsageError
from hoego.results.score import DefinedEstimate

LANGUAGES = ("ko", "en")

# key: (Korean, English)
PHRASES: dict[str, tuple[str, str]] = {
    "overall": ("총평", "Overall"),
    "diary": ("하루하루", "Day by day"),
    "learned": ("배운 것", "What was learned"),
    "next": ("다음에 할 것", "What to try next"),
    "wrapup": ("랩업 리포트", "Wrap-up report"),
    "overview": ("개요", "Overview"),
    "data": ("데이터", "Data"),
    "model": ("모델", "Model"),
    "results": ("결과", "Results"),
    "good": ("잘한 점", "What went well"),
    "bad": ("아쉬운 점", "What went badly"),
    "wrap_next": ("다음 계획", "Next"),
    "gaps": ("기록의 빈틈", "Gaps in the records"),
    "empty": (
        "이 기간의 기록이 없다. 실험도, 메모도, 제출도 없다.",
        "There are no records of this period: no run, no note, no submission.",
    ),
    "no_runs": ("이 기간에 끝난 실험이 없다.", "No run ended in this period."),
    "counts": (
        "실험 {done}건이 끝났다. 레시피는 {trials}가지, 계산에 쓴 시간은 {hours}이다.",
        "{done} ended well, of {trials}; computing took {hours}.",
    ),
    "failed_count": ("실패 {failed}건, 취소 {cancelled}건이 있었다.", "{failed} failed and {cancelled} were cancelled."),
    "best": (
        "정직한 점수 {n}개 가운데 가장 높은 것은 `{name}`의 macro F1 {score}이다 ({honesty}).",
        "The highest of {n} honest scores is that of `{name}`: macro F1 {score} ({honesty}).",
    ),
    "highest_of": ("selected, {n}개 가운데 최고;", "selected, the highest of {n};"),
    "no_score": ("정직한 점수가 하나도 없다.", "There is no honest score."),
    "optimism": (
        "고른 에폭의 점수이므로 {optimism}쯤 높게 나왔다고 추정된다.",
        "It is the score of a chosen epoch, which is estimated to flatter it by {optimism}.",
    ),
    "optimism_unknown": (
        "고른 에폭의 점수인데 얼마나 부풀었는지는 추정되지 않았다.",
        "It is the score of a chosen epoch; by how much that flatters it was not estimated.",
    ),
    "before": (
        "그 전의 최고는 `{name}`의 {score}였다. 짝지어 비교한 것이 아니므로 이것만으로 나아졌다고 할 수 없다 "
        "(`hoego compare {a} {b}`).",
        "Before that the highest was {score} of `{name}`. These two figures are not a paired comparison and do not say "
        "that one is better (`hoego compare {a} {b}` would).",
    ),
    "verdicts": (
        "짝지은 비교 {n}건: 나아짐 {better}, 나빠짐 {worse}, 구별되지 않음 {undecided}.",
        "Of {n}, {better} found something better, {worse} worse and {undecided} nothing that could be distinguished.",
    ),
    "no_verdicts": (
        "짝지은 비교가 기록되지 않았다. 점수의 차이만으로는 무엇이 나은지 말할 수 없다.",
        "No paired comparison is on record: differences between scores alone do not say what is better.",
    ),
    "naive": (
        "`{name}`의 macro F1 {score}는 같은 사람이 양쪽에 있는 나이브 분할의 점수다. 순위에 넣지 않는다.",
        "Macro F1 {score} of `{name}` comes from the naive split, with the same subjects on both sides; it is not ranked.",
    ),
    "sent": ("제출은 {n}건이다.", "{n} went to the leaderboard."),
    "sent_best": ("리더보드의 최고 점수는 {best}이다.", "The highest score that came back is {best}."),
    "why": ("가설: {why}", "Hypothesis: {why}"),
    "run": ("`{name}`: macro F1 {score} ({honesty}).", "`{name}`: macro F1 {score} ({honesty})."),
    "run_seeds": (
        "`{name}`: 시드 {n}개의 macro F1 평균 {mean}, {low}에서 {high} 사이 ({honesty}).",
        "`{name}`: macro F1 {mean} on average over {n} seeds, between {low} and {high} ({honesty}).",
    ),
    "run_unscored": ("`{name}`: 끝났고 점수는 없다.", "`{name}`: ended without a score."),
    "differs": ("`{name}` 대비 바뀐 것: {changes}.", "Other than `{name}`: {changes}."),
    "more": (" 외 {n}가지", " and {n} more"),
    "failed": ("`{name}`: 실패했다. {reason}", "`{name}` failed. {reason}"),
    "cancelled": ("`{name}`: 취소했다. {reason}", "`{name}` was cancelled. {reason}"),
    "stopped": ("`{name}`: 탐색이 일찍 멈췄다. {reason}", "`{name}` was stopped early by a search. {reason}"),
    "interrupted": ("`{name}`: 중단되었다. {reason}", "`{name}` was interrupted. {reason}"),
    "waiting": ("`{name}`: 대기 중이다.", "`{name}` is waiting."),
    "running": ("`{name}`: 실행 중이다.", "`{name}` is running."),
    "no_reason": ("이유는 기록되지 않았다.", "The reason is not on record."),
    "note": ("메모: {text}", "Note: {text}"),
    "note_run": ("메모 (`{name}`): {text}", "Note on `{name}`: {text}"),
    "submitted": ("제출: `{file}`.", "`{file}` was submitted."),
    "expected": ("예상 {expected}.", "Expected: {expected}."),
    "public": ("리더보드 점수 {public}.", "The leaderboard said {public}."),
    "public_none": ("리더보드 점수는 아직 기록되지 않았다.", "What the leaderboard said is not on record."),
    "public_outside": ("예상 구간을 벗어났다.", "That is outside the expected interval."),
    "quiet": ("기록이 없는 날: {days}.", "Days without a record: {days}."),
    "better": ("나아졌다", "better"),
    "worse": ("나빠졌다", "worse"),
    "not distinguishable": ("구별되지 않는다", "not distinguishable"),
    "cannot say": ("말할 수 없다", "cannot say"),
    "already so": ("이미 그 설정이다", "already so"),
    "verdict": ("`{change}`: {word}. {metric} {difference}{p}. {scope}", "`{change}`: {word}. {metric} {difference}{p}. {scope}"),
    "verdict_bare": ("`{change}`: {word}. {reason}", "`{change}`: {word}. {reason}"),
    "scope_recipes": ("레시피에 대한 결론이다 (한쪽 {n}회).", "This is about the recipes ({n} runs a side)."),
    "scope_models": (
        "이 두 모델에 대한 것이고, 레시피에 대한 결론은 아니다.",
        "This is about these two models, not about the recipes.",
    ),
    "leak": (
        "누수: `{naive}`는 {promised}을 약속했고 `{honest}`는 {true}이다. 차이 {gap} (서로 다른 사진으로 낸 점수라 두 분산을 더한 구간).",
        "The leak: `{naive}` promised {promised}, `{honest}` is worth {true}; {gap} apart (scored on different photos, so the interval adds both variances).",
    ),
    "nothing_learned": (
        "숫자가 뒷받침하는 결론은 이 기간의 기록에 없다.",
        "The records of this period hold no conclusion that a number supports.",
    ),
    "failed_idea": ("`{change}`: 실험이 실패해 알 수 없다. {reason}", "`{change}`: unknown, its runs failed. {reason}"),
    "ledger_gap": (
        "리더보드는 정직한 점수보다 평균 {gap} 달랐다 (제출 {n}건).",
        "The leaderboard differed from the honest score by {gap} on average ({n}).",
    ),
    "undecided": (
        "`{change}`: 아직 모른다. 효과의 구간은 {low} ~ {high}이다. {need}",
        "`{change}`: undecided. The effect lies between {low} and {high}. {need}",
    ),
    "need_runs": (
        "한쪽에 {n}회씩 돌리면 지금 본 차이({d})를 80 %의 확률로 가려낸다.",
        "With {n} runs a side the difference seen ({d}) would be found four times in five.",
    ),
    "need_seeds": (
        "먼저 한쪽에 시드 3개씩 돌려야 레시피에 대해 말할 수 있다.",
        "Three seeds a side come first: then the claim is about the recipes.",
    ),
    "need_subjects": (
        "횟수를 늘려도 가려지지 않는다. 검증 대상이 지금의 약 {x}배 필요하다 (`--fold all`은 모든 사진을 검증에 쓴다).",
        "No number of runs decides it: it takes about {x} times as many held-out subjects (`--fold all` holds out every photo once).",
    ),
    "need_small": (
        "지금 본 차이({d})는 이 분할로 가리기에는 너무 작다. 검증 대상이 지금의 약 {x}배 있어야 한다.",
        "The difference seen ({d}) is too small for this split: it takes about {x} times as many held-out subjects.",
    ),
    "need_zero": ("차이가 보이지 않았다 ({d}).", "No difference was seen ({d})."),
    "need_unknown": (
        "몇 회가 필요한지 말할 만큼 기록이 없다.",
        "The records do not hold enough to say how many runs would decide it.",
    ),
    "untried": ("아직 해 보지 않은 생각: `{text}` ({settings}).", "Untried: `{text}` ({settings})."),
    "queued_idea": ("대기열에 있는 생각: `{text}`.", "In the queue: `{text}`."),
    "source": ("출처: {source}.", "Source: {source}."),
    "nothing_next": ("아직 모르는 비교도, 해 보지 않은 생각도 기록에 없다.", "The records hold no undecided comparison and no untried idea."),
    "now": ("지금 대기 {waiting}건, 실행 중 {running}건, 중단 {interrupted}건.", "Now {waiting} waiting, {running} running, {interrupted} interrupted."),
    "resume": ("중단된 채로 있는 실험: `{name}` (`hoego train --resume {id}`)", "`{name}` is interrupted (`hoego train --resume {id}`)"),
    "span": ("{first}부터 {last}까지의 기록이다.", "The records from {first} to {last}."),
    "dataset": (
        "데이터 {dataset}, 분할 {split}: 많게는 사진 {images}장, 독립 대상 {subjects}개로 점수를 냈다.",
        "Data {dataset}, split {split}: scored on up to {images} photos of {subjects} subjects.",
    ),
    "labels_many": (
        "라벨 판본이 {n}가지({versions})라서 점수를 그대로 견주면 안 된다.",
        "There are {n} versions of the labels ({versions}); scores across them must not be set side by side as they are.",
    ),
    "no_data": ("점수를 낸 데이터가 기록에 없다.", "The records name no data that was scored."),
    "leader": ("앞선 레시피 `{name}`: {settings}.", "The leading recipe, `{name}`: {settings}."),
    "combined": ("가장 높은 점수의 `{name}`: 실험 {n}개를 합친 것이다 ({members}).", "The highest score is that of `{name}`, which combines {n} runs ({members})."),
    "attributes": ("속성별 macro F1: {scores}.", "Macro F1 by attribute: {scores}."),
    "all_well": ("실패한 실험이 없다.", "No run failed."),
    "nothing_good": ("나아졌다고 말할 수 있는 것은 기록에 없다.", "The records hold nothing that can be called better."),
    "inside": ("리더보드 점수 {n}건이 모두 예상 구간 안에 있었다.", "What came back of {n} lay within the expected interval each time."),
    "nothing_bad": ("나빠진 것도 실패도 기록에 없다.", "The records hold nothing worse and no failure."),
    "gap_count": ("기록의 빈틈이 {n}가지 있다 (아래).", "The records have gaps of {n} (below)."),
    "gap_why": ("가설 없이 돌린 실험 {n}: {names}.", "{n} without a hypothesis: {names}."),
    "gap_seed": (
        "시드 하나로만 돌린 레시피 {n}: {names}. 레시피에 대한 말은 시드 3개부터다.",
        "{n} ran under one seed alone: {names}. A claim about a recipe takes three.",
    ),
    "gap_honest": ("정직하지 않은 점수 {n}: {names}.", "{n} whose score is not honest: {names}."),
    "gap_noscore": ("점수가 없는 실험 {n}: {names}.", "{n} without a score: {names}."),
    "gap_optimism": (
        "고른 에폭의 점수인데 부풀림이 추정되지 않은 실험 {n}: {names}.",
        "{n} with the score of a chosen epoch and no estimate of its optimism: {names}.",
    ),
    "gap_unseen": (
        "아무도 들여다보지 않은 실험 {n}: {names} (메모, 비교, 태그, 앙상블, 제출이 모두 없다).",
        "{n} that nobody looked at: {names} (no note, comparison, tag, ensemble or submission).",
    ),
    "gap_reason": ("이유 없이 실패한 실험 {n}: {names}.", "{n} failed without a reason: {names}."),
    "gap_broken": ("읽을 수 없는 기록 {n}: {names}.", "{n} cannot be read: {names}."),
    "gap_public": ("리더보드 점수가 적히지 않은 제출 {n}: {names}.", "{n} without the leaderboard's score: {names}."),
    "no_gaps": ("빈틈이 없다.", "There are none."),
    "pic_scores": (
        "레시피마다의 macro F1과 95 % 구간, 시간순. 시드가 여럿이면 평균에 가장 가까운 시드를 그렸다. 다른 색은 정직하지 않은 점수다.",
        "Macro F1 of each recipe with its 95 % interval, in order of time; of several seeds the one nearest their mean. The other colour marks scores that are not honest.",
    ),
    "pic_effects": (
        "짝지은 비교의 차이와 95 % 구간. 점선은 차이 없음이다.",
        "Paired differences with their 95 % intervals; the dashed line is no difference.",
    ),
    "pic_days": ("하루에 끝난 실험과 (아래 막대) 실패한 실험.", "Runs that ended each day, and (lower bar) those that failed."),
    "pic_ledger": (
        "제출마다 예상한 점수와 95 % 구간, 그 아래 리더보드 점수.",
        "What was expected of each submission, with its 95 % interval, and below it what the leaderboard said.",
    ),
    "public_line": ("리더보드", "leaderboard"),
    "card_runs": ("끝난 실험", "runs that ended well"),
    "card_best": ("가장 높은 정직한 macro F1", "highest honest macro F1"),
    "card_better": ("나아짐 / 비교", "better / comparisons"),
    "card_hours": ("계산 시간", "of computing"),
    "col_recipe": ("레시피", "recipe"),
    "col_runs": ("시드", "seeds"),
    "col_score": ("macro F1", "macro F1"),
    "apart_dataset": ("다른 데이터셋", "another data set"),
    "apart_target": ("다른 예측 대상", "another target"),
    "apart_split": ("다른 분할", "another split"),
    "apart_fold": ("다른 폴드", "another fold"),
    "apart_images": ("분할의 다른 사진", "other photos of the split"),
    "apart_labels": ("다른 라벨", "other labels"),
    "col_honesty": ("정직함", "honesty"),
    "made": (
        "기록에서 만든 글이다. 결과를 말하는 문장은 모두 그 기록으로 이어진다.",
        "Made from the records. Every sentence that states a result links to the record behind it.",
    ),
    "summary": ("실험 {done}건, 짝지은 비교 {n}건, 메모 {notes}건, 제출 {sent}건.", "{done}, {n}, {notes}, {sent}."),
}  # fmt: skip

_NOUNS = {
    "run": ("run", "runs"),
    "recipe": ("recipe", "recipes"),
    "comparison": ("paired comparison", "paired comparisons"),
    "submission": ("submission", "submissions"),
    "note": ("note", "notes"),
    "kind": ("kind", "kinds"),
    "record": ("record", "records"),
}


_MARKS = {
    "independence not shown": "독립성은 밝혀지지 않음",
    "external": "외부 자료를 씀",
    "labels changed": "라벨이 바뀜",
    "labels changed since": "그 뒤로 라벨이 바뀜",
    "photos left out": "사진이 빠짐",
    "audit warned": "점검에서 경고가 나옴",
    "not audited": "점검하지 않음",
}


class Phrases:
    """The phrases of one language. Raises UsageError for any other than ko and en."""

    def __init__(self, lang: str) -> None:
        if lang not in LANGUAGES:
            raise UsageError(f"there is no retrospective in {lang!r}", remedy="--lang ko or --lang en")
        self.lang = lang

    def __call__(self, key: str, **values: Any) -> str:
        return PHRASES[key][LANGUAGES.index(self.lang)].format(**values).strip()

    def n(self, count: int, noun: str) -> str:
        """Return a counted noun: `3 runs`; in Korean the number alone, since the phrase holds the counter."""
        if self.lang == "ko":
            return str(count)
        one, many = _NOUNS[noun]
        return f"{count} {one if count == 1 else many}"

    def hours(self, hours: float) -> str:
        """Return a duration in words: minutes under an hour, else hours."""
        minutes = round(hours * 60)
        if minutes < 60:
            return f"{minutes}분" if self.lang == "ko" else f"{minutes} minute{'s' if minutes != 1 else ''}"
        return f"{hours:.1f}시간" if self.lang == "ko" else f"{hours:.1f} hours"

    def score(self, value: DefinedEstimate) -> str:
        """Format a score: 0.7213 [0.6980, 0.7446]."""
        if value.low is None or value.high is None:
            return f"{value.value:.4f}"
        return f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]"

    def effect(self, value: DefinedEstimate) -> str:
        """Format an effect: +0.0123 [-0.0040, +0.0286]."""
        if value.low is None or value.high is None:
            return f"{value.value:+.4f}"
        return f"{value.value:+.4f} [{value.low:+.4f}, {value.high:+.4f}]"

    def honesty(self, run: RunSummary, target: str = "") -> str:
        """Return how honest a score is, on how many subjects; and of what, where that is not the `target`."""
        subjects = "" if run.n_subjects is None else f", {self._subjects(run.n_subjects)}"
        return f"{self.alone(run, target)}{self.stated(run)}{subjects}"

    def stated(self, run: RunSummary) -> str:
        """Return the honesty of a score and what must be said beside it."""
        return "; ".join((run.honesty or "?", *(self.mark(mark) for mark in run.marks)))

    def mark(self, mark: str) -> str:
        """Return what must be said beside a score."""
        return _MARKS.get(mark, mark) if self.lang == "ko" else mark

    def alone(self, run: RunSummary, target: str) -> str:
        """Return "mask alone, " for a run that is scored on one attribute if `target` is another."""
        if not target or run.target in ("", target):
            return ""
        return f"{run.target}만, " if self.lang == "ko" else f"{run.target} alone, "

    def _subjects(self, count: int) -> str:
        return f"독립 대상 {count:,}개" if self.lang == "ko" else f"{count:,} subjects"

    def names(self, names: Sequence[str], most: int = 6) -> str:
        """Format names: `a`, `b`, `c` and 4 more."""
        shown = ", ".join(f"`{name}`" for name in names[:most])
        return shown + (self.more(len(names) - most) if len(names) > most else "")

    def more(self, count: int) -> str:
        """Return the phrase that says how many further entries are not shown."""
        text = PHRASES["more"][LANGUAGES.index(self.lang)]
        return text.format(n=count)


def named(run: RunSummary) -> str:
    """Return what a run is called: its name, else the end of its id."""
    return (run.name or run.id.rsplit("-", 1)[-1]).replace("`", "'")


def shown(value: Any) -> str:
    """Return a setting's value, short."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(v) for v in value) + "]"
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
