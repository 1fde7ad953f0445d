----------------------------- MODULE TaskCommit -----------------------------
(* How a task commits: one partition of `events`, processes that believe to   *)
(* own it, and the log that decides; in docs/explanation/exactly-once.md too. *)
(*                                                                            *)
(* One step of the model is one operation on the log, or the work between two *)
(* of them; a crash may come between any two steps. An event is a number that *)
(* its producer gave it; a producer that is not sure sends it again.          *)
(*                                                                            *)
(* Five constants are mechanisms of the engine. All TRUE, every invariant     *)
(* holds; each FALSE one is a known fault, and the checker must find it.      *)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
  Processes,        \* those that may own the partition
  MaxEvents,        \* length of the topic
  MaxOpens,         \* takeovers and restarts
  AtLeastOnce,      \* answers are sent before the commit
  FencesFirst,      \* an owner fences before it reads what is committed
  Atomic,           \* outputs, state and position are one transaction
  PositionInRecord, \* the position is in the task's own record, not the group's
  ChecksTopic,      \* a topic of another id is not read on
  TellsGaps         \* offsets that retention took are said to be lost

VARIABLES
  topic,    \* [id, start, events]: id changes when it is deleted and made again
  group,    \* the group's offset; None once the broker has forgotten it
  fence,    \* epoch of the newest writer
  stored,   \* the task's record: [topic, position, fold, recent, handled]
  answers,  \* on the log, visible: [input, event, fold]
  samples,  \* likewise
  repeated, \* events with two committed answers or samples
  told,     \* inputs that were said to be lost
  process,  \* what each process has in memory
  opens, trouble

vars == <<topic, group, fence, stored, answers, samples, repeated, told, process, opens, trouble>>

Symmetry == Permutations(Processes)

None == 0 - 1
Empty == [status |-> "down", epoch |-> 0, topic |-> 0, position |-> 0, fold |-> <<>>,
          recent |-> <<>>, handled |-> {}, answers |-> {}, samples |-> {}, sent |-> FALSE]

Range(s) == {s[i] : i \in DOMAIN s}
Input(t, offset) == <<t, offset>>
Last(s, n) == IF Len(s) <= n THEN s ELSE SubSeq(s, Len(s) - n + 1, Len(s))

Init ==
  /\ topic = [id |-> 1, start |-> 0, events |-> <<>>]
  /\ group = None
  /\ fence = 0
  /\ stored = [topic |-> 0, position |-> 0, fold |-> <<>>, recent |-> <<>>, handled |-> {}]
  /\ answers = {} /\ samples = {} /\ repeated = {} /\ told = {}
  /\ process = [p \in Processes |-> Empty]
  /\ opens = 0
  /\ trouble = {}

(* ---- The world ----------------------------------------------------------- *)

(* A new event, or the newest one once more: its producer did not hear that it arrived. *)
Produce ==
  /\ Len(topic.events) < MaxEvents
  /\ \E e \in {Cardinality(Range(topic.events)) + 1 + 10 * topic.id} \cup Range(Last(topic.events, 1)) :
       topic' = [topic EXCEPT !.events = Append(@, e)]
  /\ UNCHANGED <<group, fence, stored, answers, samples, repeated, told, process, opens, trouble>>

(* Each of these happens once at most, at any moment. *)
Once(what) == what \notin trouble /\ trouble' = trouble \cup {what}

(* The broker forgets the offsets of a group without members. *)
ExpireGroup ==
  /\ Once("expire") /\ group # None /\ group' = None
  /\ UNCHANGED <<topic, fence, stored, answers, samples, repeated, told, process, opens>>

(* Retention drops events, whether they were read or not. *)
Retain ==
  /\ Once("retain") /\ topic.start < Len(topic.events)
  /\ \E s \in (topic.start + 1)..Len(topic.events) : topic' = [topic EXCEPT !.start = s]
  /\ UNCHANGED <<group, fence, stored, answers, samples, repeated, told, process, opens>>

(* Somebody deletes the topic and makes it again. *)
Recreate ==
  /\ Once("recreate") /\ topic.events # <<>>
  /\ topic' = [id |-> topic.id + 1, start |-> 0, events |-> <<>>]
  /\ group' \in {group, None}
  /\ UNCHANGED <<fence, stored, answers, samples, repeated, told, process, opens>>

(* ---- A process ----------------------------------------------------------- *)

Becomes(p, state) == process' = [process EXCEPT ![p] = state]

Restored(of) ==
  [of EXCEPT !.fold = stored.fold, !.recent = stored.recent, !.handled = stored.handled,
             !.topic = IF stored.topic = 0 THEN topic.id ELSE stored.topic,
             !.position = IF PositionInRecord THEN stored.position
                          ELSE IF group = None THEN 0 ELSE group]

Fence(p, status) ==
  /\ opens < MaxOpens
  /\ opens' = opens + 1
  /\ fence' = fence + 1
  /\ Becomes(p, [process[p] EXCEPT !.status = status, !.epoch = fence + 1])
  /\ UNCHANGED <<topic, group, stored, answers, samples, repeated, told, trouble>>

Restore(p, status) ==
  /\ Becomes(p, [Restored(process[p]) EXCEPT !.status = status])
  /\ UNCHANGED <<topic, group, fence, stored, answers, samples, repeated, told, opens, trouble>>

Open(p) ==
  \/ process[p].status = "down"
     /\ IF FencesFirst THEN Fence(p, "first") ELSE Restore(p, "first")
  \/ process[p].status = "first"
     /\ IF FencesFirst THEN Restore(p, "runs") ELSE Fence(p, "runs")

Crash(p) ==
  /\ process[p].status # "down"
  /\ Becomes(p, Empty)
  /\ UNCHANGED <<topic, group, fence, stored, answers, samples, repeated, told, opens, trouble>>

(* It finds a topic that is not the one it has read so far, and stops until somebody decides. *)
Stop(p) ==
  LET own == process[p] IN
  /\ ChecksTopic /\ own.status = "runs" /\ own.topic # topic.id
  /\ Becomes(p, [Empty EXCEPT !.status = "stopped"])
  /\ UNCHANGED <<topic, group, fence, stored, answers, samples, repeated, told, opens, trouble>>

(* It passes over what retention took. *)
PassGap(p) ==
  LET own == process[p] IN
  /\ own.status = "runs" /\ (ChecksTopic => own.topic = topic.id)
  /\ own.position < topic.start
  /\ Becomes(p, [own EXCEPT !.position = topic.start, !.sent = FALSE])
  /\ told' = told \cup IF TellsGaps THEN {Input(topic.id, o) : o \in own.position..(topic.start - 1)} ELSE {}
  /\ UNCHANGED <<topic, group, fence, stored, answers, samples, repeated, opens, trouble>>

(* It applies the next event. Of the ids of earlier ones it remembers the newest only. *)
Apply(p) ==
  LET own == process[p]
      input == Input(topic.id, own.position)
      event == topic.events[own.position + 1]
      output == [input |-> input, event |-> event, fold |-> own.fold]
      isKnown == event \in Range(own.recent)
  IN
  /\ own.status = "runs" /\ (ChecksTopic => own.topic = topic.id)
  /\ topic.start <= own.position /\ own.position < Len(topic.events)
  /\ Becomes(p, [own EXCEPT
       !.position = @ + 1,
       !.handled = @ \cup {input},
       !.fold = IF isKnown THEN @ ELSE Append(@, event),
       !.recent = Last(Append(@, event), 1),
       !.answers = IF isKnown THEN @ ELSE @ \cup {output},
       !.samples = IF isKnown THEN @ ELSE @ \cup {output},
       !.sent = FALSE])
  /\ UNCHANGED <<topic, group, fence, stored, answers, samples, repeated, told, opens, trouble>>

(* At least once: answers go out before the commit, and no fence is asked. *)
Send(p) ==
  LET own == process[p] IN
  /\ AtLeastOnce /\ own.status = "runs" /\ ~own.sent
  /\ answers' = answers \cup own.answers
  /\ Becomes(p, [own EXCEPT !.sent = TRUE])
  /\ UNCHANGED <<topic, group, fence, stored, samples, repeated, told, opens, trouble>>

IsDirty(own) == own.position # stored.position \/ own.samples # {}

Store(own) ==
  stored' = [topic |-> own.topic, position |-> own.position, fold |-> own.fold,
             recent |-> own.recent, handled |-> own.handled]

Publish(own) ==
  /\ repeated' = repeated
       \cup {o.event : o \in {o \in own.samples : \E s \in samples : s.event = o.event}}
       \cup IF AtLeastOnce THEN {}
            ELSE {o.event : o \in {o \in own.answers : \E s \in answers : s.event = o.event}}
  /\ answers' = answers \cup own.answers
  /\ samples' = samples \cup own.samples

Done(p, own) == [own EXCEPT !.answers = {}, !.samples = {}, !.sent = FALSE]

(* All at once, and only for the newest writer. The process hears of it, or is gone by then. *)
Commit(p) ==
  LET own == process[p] IN
  /\ Atomic /\ own.status = "runs" /\ own.epoch = fence /\ IsDirty(own)
  /\ (AtLeastOnce => own.sent)
  /\ Store(own) /\ Publish(own) /\ group' = own.position
  /\ (Becomes(p, Done(p, own)) \/ Becomes(p, Empty))
  /\ UNCHANGED <<topic, fence, told, opens, trouble>>

(* The fault that transactions prevent: outputs first, position and state behind them. *)
CommitInTwo(p) ==
  LET own == process[p] IN
  /\ ~Atomic /\ own.status = "runs" /\ own.epoch = fence
  /\ \/ /\ own.samples # {} /\ Publish(own)
        /\ Becomes(p, Done(p, own))
        /\ UNCHANGED <<stored, group>>
     \/ /\ own.samples = {} /\ own.position # stored.position
        /\ Store(own) /\ group' = own.position
        /\ UNCHANGED <<answers, samples, repeated, process>>
  /\ UNCHANGED <<topic, fence, told, opens, trouble>>

(* A zombie's commit fails; it drops what it has. *)
Fenced(p) ==
  LET own == process[p] IN
  /\ own.status = "runs" /\ own.epoch < fence /\ IsDirty(own)
  /\ Becomes(p, Empty)
  /\ UNCHANGED <<topic, group, fence, stored, answers, samples, repeated, told, opens, trouble>>

Next ==
  \/ Produce \/ ExpireGroup \/ Retain \/ Recreate
  \/ \E p \in Processes :
       Open(p) \/ Crash(p) \/ Stop(p) \/ PassGap(p) \/ Apply(p) \/ Send(p)
         \/ Commit(p) \/ CommitInTwo(p) \/ Fenced(p)

Spec == Init /\ [][Next]_vars

(* States are one when they differ only in the memory of a process that is    *)
(* not the newest: a fence that comes first lets it commit nothing any more.  *)
(* At least once, it may still send what was not sent, and go on from there.  *)
(* It can tell that events are lost, which only weakens what must hold.       *)
Unsent(own) ==
  LET rest == own.answers \ answers
  IN [own EXCEPT !.epoch = 0, !.handled = {}, !.samples = {}, !.answers = rest, !.sent = rest = {}]

Seen(own) ==
  IF own.epoch = fence \/ own.status \in {"down", "stopped"} THEN own
  ELSE IF AtLeastOnce THEN Unsent(own)
  ELSE Empty

Distinct ==
  IF FencesFirst
  THEN <<topic, group, fence, stored, answers, samples, repeated, told, opens, trouble,
         [p \in Processes |-> Seen(process[p])]>>
  ELSE vars

(* ---- What must hold ------------------------------------------------------ *)

(* No event has two committed samples or, exactly once, two answers. *)
NothingDoubled == repeated = {}

(* Whatever is below the committed position was handled, or was said to be lost. *)
NothingLostSilently ==
  \A o \in 0..(stored.position - 1) : Input(stored.topic, o) \in stored.handled \cup told

(* Only inputs of one topic become part of one state. *)
OneTopic == \A input \in stored.handled : input[1] = stored.topic

(* The committed state is the fold of the inputs that were handled, in their order. *)
RECURSIVE FoldOf(_, _, _)
FoldOf(events, offset, recent) ==
  IF offset >= Len(events) THEN <<>>
  ELSE IF Input(stored.topic, offset) \notin stored.handled THEN FoldOf(events, offset + 1, recent)
  ELSE LET e == events[offset + 1]
           rest == FoldOf(events, offset + 1, <<e>>)
       IN IF e \in Range(recent) THEN rest ELSE <<e>> \o rest

StateIsFold == stored.topic = topic.id => stored.fold = FoldOf(topic.events, 0, <<>>)

(* What was given out and what is remembered are the same events. *)
OutputsAreOfState ==
  /\ {s.event : s \in samples} = Range(stored.fold)
  /\ Range(stored.fold) \subseteq {a.event : a \in answers}
  /\ ~AtLeastOnce => {a.event : a \in answers} = Range(stored.fold)

(* A repeat says the same, as long as nothing that it was based on is lost. *)
RepeatsAgree == told = {} => \A a, b \in answers : a.input = b.input => a = b

(* Said once the work is done: else the model cannot get anywhere, and the rest means nothing. *)
SaysDone ==
  (stored.position = MaxEvents /\ Len(stored.fold) = MaxEvents /\ opens = MaxOpens /\ trouble = {})
    => PrintT("done")
=============================================================================
