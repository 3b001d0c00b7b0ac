"""How a run stops its processes, with fake processes and a fake clock."""

from tests.deploy.run.processes.fake_starter import die

from ssd_run.processes.shutdown import shut_down


def wait_a_second(starter, asked=lambda: False):
    def wait():
        starter.now += 1
        return asked()

    return wait


def test_actors_stop_before_learners_and_learners_before_environments(starter, supervisor):
    supervisor.check()
    order = []
    for process in starter.started:
        process.terminate = lambda it=process: (order.append(it.role), setattr(it, "code", 0))
    killed = shut_down(supervisor, 30, starter.clock, wait_a_second(starter))
    assert order == ["actor-0-0", "learner-0", "env-0"]
    assert (killed, supervisor.alive()) == ((), ())


def test_a_learner_is_not_asked_to_stop_while_actors_still_stop(starter, supervisor):
    supervisor.check()
    actor, learner = starter.newest("actor-0-0"), starter.newest("learner-0")
    actor.obeys = False

    def stop_after_five_seconds():
        assert not learner.asked or actor.code == 0
        actor.code = 0 if starter.now >= 1005 else None

    wait = wait_a_second(starter, stop_after_five_seconds)
    assert shut_down(supervisor, 30, starter.clock, wait) == ()


def test_a_learner_that_dies_while_actors_still_stop_is_restarted(starter, supervisor):
    supervisor.check()
    starter.newest("actor-0-0").obeys = False
    starter.newest("learner-0").code = -9
    shut_down(supervisor, 30, starter.clock, wait_a_second(starter))
    assert starter.count("learner-0") == 2


def test_learners_have_time_for_a_last_checkpoint_even_if_actors_do_not_stop(starter, supervisor):
    supervisor.check()
    starter.newest("actor-0-0").obeys = False
    assert shut_down(supervisor, 30, starter.clock, wait_a_second(starter)) == ("actor-0-0",)
    assert starter.newest("learner-0").code == 0


def test_processes_that_do_not_stop_in_time_are_killed_and_named(starter, supervisor):
    supervisor.check()
    for process in starter.started:
        process.obeys = False
    killed = shut_down(supervisor, 30, starter.clock, wait_a_second(starter))
    assert set(killed) == {"actor-0-0", "learner-0", "env-0"}
    assert starter.now - 1000 <= 32
    assert supervisor.alive() == ()


def test_asking_again_kills_at_once(starter, supervisor):
    supervisor.check()
    for process in starter.started:
        process.obeys = False
    killed = shut_down(supervisor, 30, starter.clock, wait_a_second(starter, asked=lambda: True))
    assert len(killed) == 3
    assert starter.now - 1000 <= 2


def test_nothing_is_restarted_after_a_stop(starter, supervisor):
    supervisor.check()
    shut_down(supervisor, 30, starter.clock, wait_a_second(starter))
    starter.now += 1000
    supervisor.check()
    assert len(starter.started) == 3


def test_an_actor_that_waits_for_its_restart_does_not_delay_the_stop(starter, supervisor):
    supervisor.check()
    die(starter, supervisor, "actor-0-0")
    shut_down(supervisor, 30, starter.clock, wait_a_second(starter))
    assert starter.count("actor-0-0") == 1
