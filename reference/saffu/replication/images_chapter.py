"""stub"""


def text(l):
    return ""


def claims(l):
    return []


def picture(l):
    return None
