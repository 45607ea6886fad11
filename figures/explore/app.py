# /// script
# [tool.marimo.display]
# theme = "system"
# ///
import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="uniformity explore", css_file="page.css")


@app.cell
def setup():
    import marimo as mo

    from figures.explore import controls, export, guide, page, session, training_view
    from figures.explore.opened import OPENED, first_state

    desk = session.Desk()
    _state, address_problem = first_state(mo.query_params().to_dict())
    get_base, set_base = mo.state(_state)
    get_playing, set_playing = mo.state(False)
    get_round, set_round = mo.state(0)
    get_pin, set_pin = mo.state(None)
    get_chosen, set_chosen = mo.state(None)
    return


@app.cell
def header(desk, guide, mo, set_base, set_chosen, set_pin, set_playing):
    def _load(chosen, state, pin):
        set_chosen(chosen)
        set_pin(pin)
        set_base(state)
        set_playing(True)

    findings = guide.buttons(
        start=lambda k, state: _load(k, state, None), compare=lambda k, state: _load(k, state, desk.pinned())
    )
    mo.Html(guide.findings(findings))
    return (findings,)


@app.cell
def left(OPENED, controls, get_base, mo):
    shape = controls.elements(get_base(), controls.SHAPE, own=OPENED.own)
    mo.Html(controls.controls_html(shape))
    return (shape,)


@app.cell
def message(OPENED, address_problem, controls, get_base, get_chosen, guide, mo, page, session, shape):
    asked = controls.asked(shape.value, get_base())
    look = session.look_of(asked, OPENED.own)
    _said = [_said for _said in (address_problem, look) if isinstance(_said, str) and _said]
    _html = (controls.idle_style(asked), page.guide(guide.told(get_chosen())), page.problem_list(_said))
    mo.Html("".join((*_html, page.state_line(controls.told_state(asked)))))
    return asked, look


@app.cell
def training(controls, desk, get_base, mo, set_pin, set_playing, set_round, training_view):
    rates = controls.elements(get_base(), controls.TRAINING)
    pressed = training_view.buttons(
        desk, play=set_playing, restart=lambda: set_round(lambda count: count + 1), pin=set_pin
    )
    mo.Html(training_view.bar(rates, pressed))
    return (rates,)


@app.cell
def state_(asked, controls, desk, get_round, look, mo, rates):
    get_round()
    state = controls.asked(rates.value, asked)
    controls.write_query(mo.query_params(), state)
    going = look if isinstance(look, str) else look.at(state)
    run = desk.lay(going)
    return going, run, state


@app.cell
def live(get_pin, get_playing, run, training_view):
    training_view.live(run, playing=get_playing(), pin=get_pin())
    return


@app.cell
def panel_points(look, session):
    session.panel_output("points", look)
    return


@app.cell
def panel_spectrum(get_pin, look, session):
    session.panel_output("spectrum", look, get_pin())
    return


@app.cell
def panel_floors(going, session):
    session.panel_output("floors", going)
    return


@app.cell
def panel_layers(get_pin, look, session):
    session.panel_output("layers", look, get_pin())
    return


@app.cell
def panel_smoothness(look, session):
    session.panel_output("smoothness", look)
    return


@app.cell
def claims(going, session):
    session.claims_output(going)
    return


@app.cell
def share(desk, export, going, state):
    export.share(going, state, desk)
    return


@app.cell
def marks(look, set_base, state, training_view):
    takes = training_view.takes(look, state, set_base)
    training_view.marks(look, state, takes)
    return (takes,)


if __name__ == "__main__":
    app.run()
