---------------------------- MODULE LearnerCommit ----------------------------
(* How a learner goes on: samples in several partitions that have no order    *)
(* among each other, versions that are published now and then, checkpoints    *)
(* that are written more rarely, and learners that believe to be the only     *)
(* one. docs/explanation/exactly-once.md says it in words.                    *)
(*                                                                            *)
(* A batch is one sample, the weights are the samples in the order in which   *)
(* they were learnt: two versions agree if and only if these do.              *)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
  Learners,
  Partitions,
  MaxSamples,   \* of each partition
  MaxOpens,     \* takeovers and restarts
  Fences,       \* only the newest learner writes
  KeepsOrder,   \* the order of samples is written beside each version
  KeepsRest,    \* also of those that are still to be learnt again
  SkipsKnown,   \* a version whose number is on the log is made again, not published again
  TrimsToCheckpoint \* samples are dropped only below the last checkpoint

VARIABLES
  end,        \* samples that are on the log, by partition
  start,      \* samples that were dropped
  fence,      \* epoch of the newest writer
  versions,   \* on the log: <<number, weights>>, in the order of publication
  checkpoint, \* on the log: [made, weights, positions]
  order,      \* on the log: samples since a checkpoint, in the order in which they were taken
  learner,    \* what each learner has in memory
  opens

vars == <<end, start, fence, versions, checkpoint, order, learner, opens>>

Symmetry == Permutations(Learners) \cup Permutations(Partitions)
Range(s) == {s[i] : i \in DOMAIN s}
Zero == [q \in Partitions |-> 0]
Empty == [status |-> "down", epoch |-> 0, made |-> 0, weights |-> <<>>, positions |-> Zero,
          again |-> <<>>, order |-> <<>>]
Newest == IF versions = <<>> THEN 0 ELSE versions[Len(versions)][1]

Init ==
  /\ end = Zero /\ start = Zero
  /\ fence = 0
  /\ versions = <<>>
  /\ checkpoint = [made |-> 1, weights |-> <<>>, positions |-> Zero]
  /\ order = <<>>
  /\ learner = [l \in Learners |-> Empty]
  /\ opens = 0

Becomes(l, state) == learner' = [learner EXCEPT ![l] = state]

Arrive(q) ==
  /\ end[q] < MaxSamples
  /\ end' = [end EXCEPT ![q] = @ + 1]
  /\ UNCHANGED <<start, fence, versions, checkpoint, order, learner, opens>>

(* It fences, then reads the checkpoint and what was learnt behind it. *)
Open(l) ==
  /\ learner[l].status = "down" /\ opens < MaxOpens
  /\ opens' = opens + 1
  /\ fence' = fence + 1
  /\ Becomes(l, [Empty EXCEPT !.status = "fenced", !.epoch = fence + 1])
  /\ UNCHANGED <<end, start, versions, checkpoint, order>>

IsBehind(entry, positions) == entry[2] > positions[entry[1]]
Load(l) ==
  /\ learner[l].status = "fenced"
  /\ Becomes(l, [learner[l] EXCEPT
       !.status = "runs",
       !.made = checkpoint.made,
       !.weights = checkpoint.weights,
       !.positions = checkpoint.positions,
       !.again = IF KeepsOrder
                 THEN SelectSeq(order, LAMBDA entry : IsBehind(entry, checkpoint.positions))
                 ELSE <<>>])
  /\ UNCHANGED <<end, start, fence, versions, checkpoint, order, opens>>

Crash(l) ==
  /\ learner[l].status # "down"
  /\ Becomes(l, Empty)
  /\ UNCHANGED <<end, start, fence, versions, checkpoint, order, opens>>

(* Learns the next sample of a partition: of the one that the order names, while it does. *)
Learn(l, q) ==
  LET own == learner[l]
      entry == <<q, own.positions[q] + 1>>
  IN
  /\ own.status = "runs"
  /\ own.positions[q] < end[q]
  /\ own.positions[q] >= start[q]
  /\ own.again # <<>> => Head(own.again)[1] = q
  /\ Becomes(l, [own EXCEPT
       !.made = @ + 1,
       !.weights = Append(@, entry),
       !.positions[q] = @ + 1,
       !.order = Append(@, entry),
       !.again = IF @ = <<>> THEN @ ELSE Tail(@)])
  /\ UNCHANGED <<end, start, fence, versions, checkpoint, order, opens>>

May(own) == own.status = "runs" /\ (Fences => own.epoch = fence)
HasNew(own) == own.made > Newest \/ (~SkipsKnown /\ own.weights # <<>>)
OrderOf(own) == IF KeepsRest THEN own.order \o own.again ELSE own.order
Heard(l, state) == Becomes(l, state) \/ Becomes(l, Empty)

(* A version and the order that led to it, in one transaction. *)
Publish(l) ==
  LET own == learner[l] IN
  /\ May(own) /\ HasNew(own)
  /\ versions' = Append(versions, <<own.made, own.weights>>)
  /\ order' = OrderOf(own)
  /\ Heard(l, own)
  /\ UNCHANGED <<end, start, fence, checkpoint, opens>>

(* A checkpoint, with the version that was not published yet. Behind it, the order begins anew in memory. *)
Write(l) ==
  LET own == learner[l] IN
  /\ May(own) /\ own.made # checkpoint.made
  /\ versions' = IF own.made > Newest THEN Append(versions, <<own.made, own.weights>>) ELSE versions
  /\ checkpoint' = [made |-> own.made, weights |-> own.weights, positions |-> own.positions]
  /\ order' = OrderOf(own)
  /\ Heard(l, [own EXCEPT !.order = <<>>])
  /\ UNCHANGED <<end, start, fence, opens>>

(* Drops what the checkpoint holds. No fence is asked; a zombie may come late with it. *)
Trim(l) ==
  LET own == learner[l]
      below == IF TrimsToCheckpoint THEN checkpoint.positions ELSE own.positions
  IN
  /\ own.status = "runs" /\ own.order = <<>>
  /\ \E q \in Partitions : start[q] < below[q]
       /\ start' = [start EXCEPT ![q] = below[q]]
  /\ UNCHANGED <<end, fence, versions, checkpoint, order, learner, opens>>

(* The fault of it: positions that are in no checkpoint. *)
TrimTooMuch(l) ==
  LET own == learner[l] IN
  /\ ~TrimsToCheckpoint /\ own.status = "runs"
  /\ \E q \in Partitions : start[q] < own.positions[q]
       /\ start' = [start EXCEPT ![q] = own.positions[q]]
  /\ UNCHANGED <<end, fence, versions, checkpoint, order, learner, opens>>

Next ==
  \/ \E q \in Partitions : Arrive(q)
  \/ \E l \in Learners :
       Open(l) \/ Load(l) \/ Crash(l) \/ (\E q \in Partitions : Learn(l, q))
         \/ Publish(l) \/ Write(l) \/ Trim(l) \/ TrimTooMuch(l)

Spec == Init /\ [][Next]_vars

(* States are one when they differ only in what nobody reads: the order below *)
(* the checkpoint; and, as long as the fence and the trim hold, the memory of *)
(* a learner that is not the newest. That one writes nothing any more; all it *)
(* can do is drop samples below the checkpoint, while it has no order.        *)
Seen(own) ==
  IF own.epoch = fence THEN own
  ELSE IF own.order # <<>> THEN Empty
  ELSE [Empty EXCEPT !.status = own.status]

Distinct ==
  IF Fences /\ TrimsToCheckpoint
  THEN <<end, start, fence, versions, checkpoint, opens,
         SelectSeq(order, LAMBDA entry : IsBehind(entry, checkpoint.positions)),
         [l \in Learners |-> Seen(learner[l])]>>
  ELSE vars

(* ---- What must hold ------------------------------------------------------ *)

(* The samples of a partition, in their order, none missing, none twice. *)
IsFold(weights) ==
  \A q \in Partitions :
    LET own == SelectSeq(weights, LAMBDA entry : entry[1] = q)
    IN \A i \in DOMAIN own : own[i][2] = i

(* Every version is a fold of all samples up to some position, and its number says of how many. *)
VersionsAreFolds ==
  \A i \in DOMAIN versions : IsFold(versions[i][2]) /\ versions[i][1] = Len(versions[i][2]) + 1

(* Numbers only rise: none is published twice. *)
NumbersRise == \A i \in 1..(Len(versions) - 1) : versions[i][1] < versions[i + 1][1]

IsPrefix(a, b) == Len(a) <= Len(b) /\ SubSeq(b, 1, Len(a)) = a

(* There is one history: what was served is never unlearnt by a crash. *)
OneHistory == \A i \in 1..(Len(versions) - 1) : IsPrefix(versions[i][2], versions[i + 1][2])

(* A version that is made again is the version that was published. *)
MadeAgainIsSame ==
  \A l \in Learners :
    LET own == learner[l] IN
    own.status = "runs" /\ own.epoch = fence =>
      \A i \in DOMAIN versions : versions[i][1] = own.made => versions[i][2] = own.weights

(* A checkpoint lies on that history, and what it needs to go on is there. *)
CheckpointIsOnHistory ==
  /\ IsFold(checkpoint.weights)
  /\ \A i \in DOMAIN versions : versions[i][1] <= checkpoint.made => IsPrefix(versions[i][2], checkpoint.weights)
  /\ \A q \in Partitions : start[q] <= checkpoint.positions[q]

(* Said once the work is done: else the model cannot get anywhere, and the rest means nothing. *)
SaysDone ==
  (opens = MaxOpens /\ Newest = 1 + MaxSamples * Cardinality(Partitions) /\ checkpoint.made > 1)
    => PrintT("done")
=============================================================================
