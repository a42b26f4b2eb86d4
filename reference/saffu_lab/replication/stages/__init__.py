"""Stages study: gain and cost of each stage of training, warm, frozen and thawed.   (SPEC 7)"""
